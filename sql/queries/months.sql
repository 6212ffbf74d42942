-- Months of candidates, alerts and messages that leave the ledger and come back. A month is written YYYYMM.

-- name: is_here$
select to_regclass('outbox_' || :month) is not null as here;

-- name: nights_not_closed
select site, night, state::text as state from nights
where begins < :ends and ends > :begins and state <> 'closed' order by site, night;

-- name: unsent$
select count(*) as messages from outbox
where shutter_open >= :begins and shutter_open < :ends and state in ('queued', 'held');

-- name: content^
select held, content from content_of(:table_name);

-- name: lock_months!
-- Nobody writes a candidate, an alert or a message until the transaction has ended.
lock table candidates, alerts, outbox in exclusive mode;

-- name: detach_month
select detach_month(:month);

-- name: prepare_month
select prepare_month(:month);

-- name: attach_month
select attach_month(:month);
