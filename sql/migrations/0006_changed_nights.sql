-- Whether something of a night came or was reduced since its closing was begun. No clock is asked for that, since it
-- may be set back, and no night's files have to be looked through.

alter table nights add column changed boolean not null default false; -- by a file or a unit, since it was last closed

create function note_change_of_night(of_site text, of_night date) returns void language sql as $$
    update nights set changed = true where site = of_site and night = of_night and state <> 'open' and not changed
$$;

create function arrival_changes_night() returns trigger language plpgsql as $$
begin
    perform note_change_of_night(new.site, new.night);
    return null;
end $$;
create trigger arrival_changes_night after insert on arrivals
    for each row when (new.night is not null) execute function arrival_changes_night();

create function unit_changes_night() returns trigger language plpgsql as $$
begin
    perform note_change_of_night(e.site, e.night) from exposures e
        where e.instrument = new.instrument and e.exposure_id = new.exposure_id;
    return null;
end $$;
create trigger unit_changes_night after insert or update of ended_at on units
    for each row when (new.ended_at is not null) execute function unit_changes_night();

create index on arrivals (site, night, arrived_at);
