-- What happened after what, also where the machine's clock was set back between.

-- As `steady_age_s`, at a given moment.
create function steady_age_s(moment timestamptz, at timestamptz) returns double precision language sql stable as $$
    select extract(epoch from at - moment)::double precision - coalesce((
        select sum(p.seconds) from pauses p
        where moment <= least(p.until_at, p.after_at) or (moment > at and p.pause_id >= (
            select max(b.pause_id) from pauses b where b.seconds < 0 and moment <= b.until_at))), 0)
$$;

create or replace function steady_age_s(moment timestamptz) returns double precision language sql stable as $$
    select steady_age_s(moment, clock_timestamp())
$$;

-- Whether one moment came after another. Where neither of them lies ahead of the clock, the clock's word is taken.
create function came_after(later timestamptz, earlier timestamptz) returns boolean language sql stable as $$
    select case
        when greatest(later, earlier) <= statement_timestamp() then later > earlier
        else steady_age_s(later, statement_timestamp()) < steady_age_s(earlier, statement_timestamp()) end
$$;
