-- How old the masters are that serve.

-- name: newest_masters
-- row: NewestMaster
-- Of each kind, filter, detector and quadrant the night of the newest master in service, within a span of nights.
select c.kind, c.filter, c.detector, c.quadrant, max(c.night) as night
from calibrations c join products p using (product_key)
where c.instrument = :instrument and c.state = 'in_service' and c.campaign = :campaign
    and c.night between :oldest and :night and p.leaves_with = 'infinity' and p.deleted_at is null
group by c.kind, c.filter, c.detector, c.quadrant order by c.kind, c.filter, c.detector, c.quadrant;
