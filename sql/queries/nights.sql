-- Which nights are to be closed.

-- name: nights_to_close
-- Open nights whose manifest is complete, or whose noon has passed while nothing comes any more; and closed ones of
-- which something came or was reduced since, once nothing has come for a while.
select n.site, n.night,
    case when n.state <> 'open' then coalesce(n.signal, 'clock') when m.complete then 'manifest' else 'clock' end as signal
from nights n
left join lateral (
    select coalesce(count(*) > 0 and count(*) >= max(x.parts), false) as complete
    from manifests x where x.site = n.site and x.night = n.night) m on true
left join lateral (
    select coalesce(steady_age_s(max(a.arrived_at)) < :quiet_s, false) as lately
    from arrivals a where a.site = n.site and a.night = n.night and (n.state = 'open' or n.changed)) came on true
where n.site = :site and case n.state
    when 'open' then m.complete or (n.ends <= :now and not came.lately)
    when 'closing' then false
    else n.changed and not came.lately end
order by n.night;

-- name: mark_night_closing!
update nights set state = 'closing', closing_since = now(), signal = :signal
where site = :site and night = :night and state = 'open';
