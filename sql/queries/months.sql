-- Months that leave the ledger and come back. A month is written YYYYMM.

-- name: tables
-- The tables that are partitioned by month.
-- row: MonthlyTable
select parent as table_name from tables_by_month();

-- name: is_here$
select to_regclass('outbox_' || :month) is not null as here;

-- name: nights_not_closed
-- row: OpenNight
select site, night, state from nights
where begins < :ends and ends > :begins and state <> 'closed' order by site, night;

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

-- name: prepare_month
select prepare_month(:table_name, :month);

-- name: attach_month
select attach_month(:table_name, :month);

-- name: put_detached!
insert into detached_months (month, folder, operator) values (:month, :folder, :operator);

-- name: delete_detached!
delete from detached_months where month = :month;

-- name: detached_folder$
-- Where the files of a night's month are, if it has left the ledger.
-- nullable: folder
select folder from detached_months where month = to_char(:night::date, 'YYYYMM');
