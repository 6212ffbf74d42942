-- What happened after what, also where the machine's clock was set back between.

-- Whether one moment came after another. Where neither of them lies ahead of the clock, the clock's word is taken.
create function came_after(later timestamptz, earlier timestamptz) returns boolean language sql stable as $$
    select case
        when greatest(later, earlier) <= clock_timestamp() then later > earlier
        else steady_age_s(later) < steady_age_s(earlier) end
$$;
