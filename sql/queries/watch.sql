-- What the watch over the inbox asks of the ledger.

-- name: under_way
-- Runs that will have something done soon; one that is older says nothing any more.
select count(*)::integer as runs
from runs where ended_at is null and dag_id <> 'end_of_night' and requested_at > now() - make_interval(secs => :lately_s);
