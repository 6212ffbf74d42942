-- Which nights are to be closed.

-- name: nights_to_close
-- row: NightToClose
-- Open nights whose manifest is complete, or whose noon has passed while nothing comes any more; and closed ones of
-- which something came or was reduced since, once nothing has come for a while. A night whose month has left the ledger
-- waits until that is back.
select n.site, n.night,
    case when n.state <> 'open' then coalesce(n.signal, 'clock') when m.complete then 'manifest' else 'clock' end as signal
from nights n
left join lateral (
    select coalesce(count(*) > 0 and count(*) >= max(x.parts), false) as complete
    from manifests x where x.site = n.site and x.night = n.night) m on true
left join lateral (
    select coalesce(steady_age_s(max(a.arrived_at)) < :quiet_s, false) as lately
    from arrivals a where a.site = n.site and a.night = n.night) came on true
where n.site = :site and (n.state in ('open', 'closing') or n.changed)
    and case n.state
        when 'open' then m.complete or (n.ends <= :now and not came.lately)
        when 'closing' then false
        else n.changed and not came.lately end
    and not exists (select from detached_months d where d.month = any (months_of_night(n.night, n.begins, n.ends)))
order by n.night;

-- name: mark_night_closing!
update nights set state = 'closing', closing_since = now(), signal = :signal
where site = :site and night = :night and state = 'open';

-- What a night was opened with --------------------------------------------------------------------------------

-- name: is_pinned$
-- nullable: pinned
select settings -> 'instruments' ? :instrument as pinned from nights where site = :site and night = :night;

-- name: pin_night!
-- Open a night with the settings of an instrument. One that has those of others, or was opened before they were
-- recorded, gets them while it is open.
insert into nights (site, night, begins, ends, code_version, settings, settings_hashes)
values (:site, :night, :begins, :ends, :code_version,
    jsonb_build_object('survey', :survey::text, 'instruments', jsonb_build_object(:instrument::text, :settings::jsonb)),
    jsonb_build_object(:instrument::text, :hashes::jsonb))
on conflict (site, night) do update set
    code_version = coalesce(nights.code_version, excluded.code_version),
    settings = jsonb_set(excluded.settings, '{instruments}', (excluded.settings -> 'instruments')
        || coalesce(nights.settings -> 'instruments', '{}')),
    settings_hashes = excluded.settings_hashes || coalesce(nights.settings_hashes, '{}')
where nights.state = 'open';

-- name: pin^
select site, night, ends, state, code_version, settings, settings_hashes from nights
where site = :site and night = :night;

-- name: lock_pin^
-- row: Pin
select site, night, ends, state, code_version, settings, settings_hashes from nights
where site = :site and night = :night for update;

-- name: last_pins
-- row: Pin
-- Of each site the newest night that has begun and has not both ended and closed.
select distinct on (site) site, night, ends, state, code_version, settings, settings_hashes from nights
where begins <= :now and (ends > :now or state <> 'closed') and settings ->> 'survey' = :survey
order by site, night desc;

-- name: set_pin!
update nights set code_version = :code_version,
    settings = jsonb_build_object('survey', :survey::text, 'instruments', :settings::jsonb),
    settings_hashes = :settings_hashes
where site = :site and night = :night;

-- name: night_of_exposure$
-- nullable: night
select night from exposures where instrument = :instrument and exposure_id = :exposure_id;
