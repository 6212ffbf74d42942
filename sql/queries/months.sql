-- Months that leave the ledger and come back. A month is written YYYYMM.

-- name: tables
-- The tables that are partitioned by month.
-- row: MonthlyTable
select parent as table_name from tables_by_month();

-- name: is_here$
select to_regclass('outbox_' || :month) is not null as here;

-- name: nights_not_closed
-- row: OpenNight
-- Also those of which something came or was reduced since they were closed.
select site, night, state from nights
where begins < :ends and ends > :begins and (state <> 'closed' or changed) order by site, night;

-- name: not_ended
-- Exposures of its nights that are still worked on.
-- row: OpenExposure
select instrument || '/' || exposure_id as exposure from exposures
where night >= (:begins::timestamptz at time zone 'UTC')::date and night < (:ends::timestamptz at time zone 'UTC')::date
    and state <> 'ended'
order by shutter_open, exposure_id;

-- name: oldest_month_here$
-- nullable: month
select min(right(inhrelid::regclass::text, 6)) as month from pg_inherits
where inhparent = 'outbox'::regclass and inhrelid::regclass::text ~ '^outbox_[0-9]{6}$';

-- name: unsent$
select count(*) as messages from outbox
where shutter_open >= :begins and shutter_open < :ends and state in ('queued', 'held');

-- name: content^
-- row: TableContent
select held, content from content_of(:table_name);

-- name: lock_month
-- Nobody writes a row of it until the transaction has ended.
select lock_month(:month);

-- name: detach_month
select detach_month(:month);

-- name: columns_of$
select columns_of(:table_name) as columns;

-- name: leave_columns
select leave_columns(:table_name, :columns::text[]);

-- name: add_columns_of
select add_columns_of(:table_name, :other);

-- name: prepare_month
select prepare_month(:table_name, :month);

-- name: attach_month
select attach_month(:table_name, :month);

-- name: make_missing_tables
-- Of a month that came back: those that were not there yet when it left.
select prepare_month(parent, :month), attach_month(parent, :month) from tables_by_month()
where to_regclass(parent || '_' || :month) is null;

-- name: put_detached!
insert into detached_months (month, folder, operator) values (:month, :folder, :operator);

-- name: delete_detached!
delete from detached_months where month = :month;

-- name: month_away^
-- row: MonthAway
-- The first month that has left the ledger of those in which a night has rows.
select month, folder from detached_months
where month = any (months_of_night(:night::date, :begins::timestamptz, :ends::timestamptz)) order by month limit 1;

-- name: detached_folder$
-- Where the files of a night's month are, if it has left the ledger.
-- nullable: folder
select folder from detached_months where month = to_char(:night::date, 'YYYYMM');
