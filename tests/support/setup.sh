# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

# Sourced by tests/run, demo/run and benchmarks/run: installs what they need, and nothing that is there already.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

say() { printf '%s\n' "$*" >&2; }

die() {
	say "$*"
	exit 1
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		command -v sudo >/dev/null || die "Installing Debian's packages needs root or sudo. Install these first: $*"
		sudo "$@"
	fi
}

# Debian's packages of the programs that are missing. Their services are not started: the tests and
# the demo start servers of their own.
install_packages() {
	local missing=()
	PATH=$PATH:/usr/sbin command -v mariadbd >/dev/null || missing+=(mariadb-server)
	command -v mariadb-backup >/dev/null || missing+=(mariadb-backup)
	command -v redis-server >/dev/null || missing+=(redis-server)
	command -v rsync >/dev/null || missing+=(rsync)
	# For the test of two servers, each in network namespaces of its own.
	PATH=$PATH:/usr/sbin:/sbin command -v ip >/dev/null || missing+=(iproute2)
	# For systemd-analyze: it looks at units, and needs no systemd that runs.
	command -v systemd-analyze >/dev/null || missing+=(systemd)
	PATH=$PATH:/usr/sbin command -v nginx >/dev/null || missing+=(nginx)
	python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
	[ ${#missing[@]} = 0 ] && return
	command -v apt-get >/dev/null || die "Please install ${missing[*]}: only Debian's package manager is known here."
	say "Installing ${missing[*]} ..."
	local policy=/usr/sbin/policy-rc.d
	if [ -e $policy ]; then
		policy=
	else
		printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
		as_root chmod +x $policy
	fi
	local status=0
	{ as_root apt-get update -q && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy "${missing[@]}"; } >&2 || status=$?
	[ -z "$policy" ] || as_root rm -f "$policy"
	[ $status = 0 ] || die "apt-get could not install ${missing[*]}; its own message stands above."
}

# Makes .venv with all requirements, again where they have changed.
make_environment() {
	local wanted
	wanted=$(cat "$root/pyproject.toml" && python3 --version)
	if [ "$(cat "$root/.venv/made-for" 2>/dev/null)" != "$wanted" ]; then
		say "Making a virtual environment in .venv ..."
		rm -rf "$root/.venv"
		python3 -m venv "$root/.venv"
		"$root/.venv/bin/pip" install --quiet --disable-pip-version-check $(requirements test checks) || die "pip could not install what is needed; its own message stands above."
		printf '%s\n' "$wanted" >"$root/.venv/made-for"
	fi
}

# What pyproject.toml lists: the app's own requirements, and those of the groups given.
requirements() {
	python3 - "$root/pyproject.toml" "$@" <<-'PYTHON'
		import sys, tomllib
		project = tomllib.load(open(sys.argv[1], "rb"))["project"]
		groups = [project["optional-dependencies"][name] for name in sys.argv[2:]]
		print(*project["dependencies"], *sum(groups, []))
	PYTHON
}

# The bench to use: FRAPPE_BENCH, or the one that this repository stands in as apps/read_replica.
find_bench() {
	if [ -n "${FRAPPE_BENCH:-}" ]; then
		[ -d "$FRAPPE_BENCH/apps/frappe" ] || die "FRAPPE_BENCH=$FRAPPE_BENCH is no bench: it has no apps/frappe."
		(cd "$FRAPPE_BENCH" && pwd)
	elif [ -d "$root/../../apps/frappe" ] && [ -x "$root/../../env/bin/python" ]; then
		(cd "$root/../.." && pwd)
	fi
}

# Makes a folder of what the bench's environment lacks, in the versions that this environment has
# where it has them. Nothing is written into the bench. Prints the folder.
bench_extras() {
	local bench=$1 folder wanted there
	folder=$root/.venv/bench-$(printf '%s' "$bench" | cksum | cut -d' ' -f1)
	there=$("$bench/env/bin/python" -m pip list --format=freeze --disable-pip-version-check 2>/dev/null)
	wanted=$(requirements test browser && printf '%s\n' "$there")
	if [ "$(cat "$folder/made-for" 2>/dev/null)" != "$wanted" ]; then
		rm -rf "$folder"
		mkdir -p "$folder"
		printf '%s\n' "$there" | grep -Ev '^(frappe|read.replica|erpnext|pip|setuptools|wheel)==|\.dev' >"$folder/constraints.txt"
		"$bench/env/bin/python" -m pip install --quiet --disable-pip-version-check --target "$folder/packages" \
			--constraint "$folder/constraints.txt" $(requirements test browser) >&2 ||
			die "pip could not install what the tests need beside the bench; its own message stands above."
		printf '%s\n' "$wanted" >"$folder/made-for"
		chmod -R a+rX "$root/.venv"
	fi
	printf '%s\n' "$folder/packages"
}

# Runs the bench's Python on this repository, as the bench's owner: bench refuses root.
run_in_bench() {
	local bench=$1 extras owner
	shift
	extras=$(bench_extras "$bench") || exit 1
	owner=$(stat -c %U "$bench")
	local as=()
	if [ "$(id -u)" = 0 ] && [ "$owner" != root ]; then
		as=(runuser -u "$owner" --)
		"${as[@]}" test -r "$root/pyproject.toml" ||
			die "$owner, who owns $bench, may not read $root. Put the repository where that user can read it."
	fi
	(cd / && exec "${as[@]}" env HOME="$(getent passwd "$owner" | cut -d: -f6)" FRAPPE_BENCH="$bench" \
		PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$root:$root/tests:$extras" "$bench/env/bin/python" "$@")
}
