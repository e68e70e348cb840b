# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Files of a server in the tests: the programs that an administrator calls, and what supervisord and nginx read.

What bench, systemd and ssh do for an administrator is done by small programs, so that the lines that this app prints
can be run there as they are printed.
"""

# As bench has them, by the names of programs.
PROGRAMS = {
	"sudo": 'exec "$@"',
	"chown": "exit 0",
	"supervisorctl": '{python} -m supervisor.supervisorctl -c {supervisord_conf} "$@" | tee {folder}/said'
	' && ! grep -qE "ERROR|FATAL" {folder}/said',
	"systemctl": """
case "$1 $2" in
"reload nginx") exec supervisorctl signal HUP nginx ;;
"restart redis") exec supervisorctl restart {name}-redis: ;;
*) exec supervisorctl "$1" "$2" ;;
esac""",
	"bench": """
case "$1 $2" in
"restart ") exec supervisorctl restart {name}-web: {name}-workers: ;;
"setup supervisor") exec {python} -m support.two_servers.bench_files {bench} "$@" ;;
esac
cd {bench}/sites && exec {python} -m frappe.utils.bench_helper frappe "$@" """,
	# Its own options, the host, and the command.
	"ssh": """
while true; do
	case "$1" in
	-o | -l) shift 2 ;;
	-*) shift ;;
	*) break ;;
	esac
done
host=${{1#*@}}
shift
exec {python} -m support.two_servers.remote_shell $host "$*" """,
}

SUPERVISORD = """
[unix_http_server]
file={folder}/s.sock
[supervisord]
nodaemon=true
logfile={folder}/supervisord.log
pidfile={folder}/supervisord.pid
childlogdir={folder}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{folder}/s.sock
[include]
files=/etc/supervisor/conf.d/*.conf
"""

NGINX = """
user root;
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
events {{ worker_connections 512; }}
http {{
	client_body_temp_path {folder}/body;
	proxy_temp_path {folder}/proxy;
	fastcgi_temp_path {folder}/fastcgi;
	uwsgi_temp_path {folder}/uwsgi;
	scgi_temp_path {folder}/scgi;
	access_log off;
	include /etc/nginx/mime.types;
	include /etc/nginx/conf.d/*.conf;
}}
"""
