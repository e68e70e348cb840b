# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What the processes of a site share in Redis, and on the primary where their Redis differs or fails.

Uses `dialect` alone. Used by all of the engine through `Host.shared`, and by the hosts that make it.
Offers to others: shared_state.SharedState, several_redises.SeveralRedises, common_store.CommonStore,
user_positions.UserPosition, request_counts.RequestTally, lag_history.Lags, process_list.ProcessNote, redis_state.impatient.
"""
