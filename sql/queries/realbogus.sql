-- Queries about the real-bogus model.

-- name: put_model!
-- Note that a model judges a camera's candidates; the first time stays.
insert into real_bogus_models (instrument, version) values (:instrument, :version) on conflict do nothing;

-- name: references_replaced
-- References that took the place of others since a model came into use.
-- row: ReplacedReferences
select r.field, r.filter, max(r.version)::integer as version, count(*)::integer as quadrants
from reference_images r
join real_bogus_models m on m.instrument = r.instrument and m.version = :version
where r.instrument = :instrument and r.version > 1 and r.state = 'in_service' and r.built_at > m.in_use_since
group by r.field, r.filter order by r.field, r.filter;
