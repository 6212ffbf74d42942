-- Events of long ago leave the ledger once the archive holds them; the audit stays.

-- Files of the archive that hold events. Those of a file that was read back may be removed here.
create table event_archives (
    path text primary key, -- below the archive, as in `archive_files`
    first_event_id bigint not null,
    last_event_id bigint not null,
    last_at timestamptz not null, -- of the newest event in it: one of that range that is newer is not in it
    check (first_event_id <= last_event_id)
);

create function refuse_change_of_events() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' and exists (
        select from event_archives a join archive_files f using (path)
        where old.event_id between a.first_event_id and a.last_event_id and old.at <= a.last_at
            and old.kind not in ('night_closed', 'unbalanced') -- these stay for ever
            and f.kind = 'events' and f.verified_at is not null) then
        return old;
    end if;
    raise exception 'events is append-only until the archive holds them: add a row instead';
end $$;
drop trigger events_append_only on events;
create trigger events_append_only before update or delete on events
    for each row execute function refuse_change_of_events();
