-- Quadrants that were reduced without a master, of nights that are not closed: each is reduced again when the night's own
-- master serves. A row a kind of master that was lacking; the work's record writes and deletes them, so that there are as
-- many as wait, whatever the ledger's age.
create table reduced_without_master (
    unit_key text not null,
    kind calibration_kind not null, -- of the master that was lacking
    campaign text not null,
    site text not null,
    instrument text not null,
    night date not null,
    detector smallint not null,
    quadrant smallint not null,
    filter text not null, -- of the exposure
    again_since timestamptz, -- when it became due once more: attempts of before do not count any more
    primary key (unit_key, kind)
);
create index on reduced_without_master (instrument, night, detector, quadrant);

create function night_needs_no_masters() returns trigger language plpgsql as $$
begin
    delete from reduced_without_master where site = new.site and night = new.night;
    return null;
end $$;
create trigger night_needs_no_masters after update of state on nights
    for each row when (old.state in ('open', 'closing') and new.state not in ('open', 'closing'))
    execute function night_needs_no_masters();
