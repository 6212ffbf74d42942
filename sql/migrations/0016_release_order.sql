-- The release order is called so, and the outbox knows nothing of brokers that a site does not run.

-- A field's alerts are released in the order of these moments: of the frame's own shutter, or where it is later, of its
-- reference's last member, without which it had no difference.
alter table differences rename column turn to release_order_at; -- null: its own shutter
alter function turn_of(text, text) rename to release_order_of;

drop function searches(date, date);
-- One row a searched difference of the nights `first` to `last`, with what its alerts and the history of later ones say
-- of it.
create function searches(first date, last date)
returns table (unit_key text, campaign text, campaign_number smallint, reference_key text,
    limiting_magnitude double precision, instrument text, exposure_id text, detector smallint, quadrant smallint,
    site text, night date, ut_day date, field integer, filter text, exposure_s double precision,
    shutter_open timestamptz, program_id smallint, zero_point double precision, zero_point_rms double precision,
    stars_matched double precision, corners_deg double precision[], reference_version smallint,
    reference_frames smallint, difference_path text, release_order_at timestamptz)
language sql stable as $$
    select d.unit_key, d.campaign, c.number, d.reference_key, d.limiting_magnitude,
        u.instrument, u.exposure_id, u.detector, u.quadrant,
        e.site, e.night, e.ut_day, e.field, e.filter, e.exposure_s, e.shutter_open, e.program_id,
        q.zero_point, q.zero_point_rms, q.stars_matched, q.corners_deg,
        r.version, r.frames, p.path, coalesce(d.release_order_at, e.shutter_open)
    from differences d
    join campaigns c using (campaign)
    join units u on u.unit_key = d.unit_key and u.night = d.night
    join exposures e on e.instrument = u.instrument and e.exposure_id = u.exposure_id
    join reference_images r using (reference_key)
    left join image_quality q on q.unit_key = d.unit_key and q.night = d.night and q.night between first and last
    left join products p on p.product_key = d.product_key and p.leaves_with = d.night
        and p.leaves_with between first and last
    where d.state = 'processed' and d.night between first and last and u.night between first and last
$$;

-- A stand-in that forgets what it acknowledged remembers by itself what that was.
alter table outbox drop column acknowledged_by;
