-- Numbers of single precision, as the packets hold them, take four bytes of a candidate's record rather than eight; texts
-- that many records share take none.

-- Candidates of before have none and stay as they are.
alter table candidates add column singles real[]; -- fields of single precision, by the record's layout

alter table record_layouts add column single_names text[] not null default '{}'; -- kind r: of single precision, or none
alter table record_layouts add column common jsonb not null default '{}'; -- kind c, with its value: texts of every record

create or replace function layout_of(of_fields text[]) returns smallint language plpgsql as $$
declare
    found smallint;
begin
    select l.layout into found from record_layouts l where l.fields = of_fields;
    if found is null then
        insert into record_layouts (fields, number_names, number_kinds, text_names, text_kinds, single_names, common)
        select of_fields,
            coalesce(array_agg(substr(f, 3) order by place) filter (where left(f, 1) in ('f', 'i')), '{}'),
            coalesce(array_agg(left(f, 1)::"char" order by place) filter (where left(f, 1) in ('f', 'i')), '{}'),
            coalesce(array_agg(substr(f, 3) order by place) filter (where left(f, 1) in ('s', 'j')), '{}'),
            coalesce(array_agg(left(f, 1)::"char" order by place) filter (where left(f, 1) in ('s', 'j')), '{}'),
            coalesce(array_agg(substr(f, 3) order by place) filter (where left(f, 1) = 'r'), '{}'),
            coalesce(jsonb_object_agg(split_part(substr(f, 3), '=', 1), substr(f, position('=' in f) + 1) order by place)
                filter (where left(f, 1) = 'c'), '{}')
        from unnest(of_fields) with ordinality as u (f, place)
        on conflict (fields) do nothing;
        select l.layout into found from record_layouts l where l.fields = of_fields;
    end if;
    return found;
end $$;

-- How a value is kept that may be one of single precision: as that only where the same JSON comes out.
create function kind_of_single(value jsonb) returns "char" language sql immutable as $$
    select case
        when jsonb_typeof(value) = 'null' then 'r'::"char"
        when kind_of_field(value) <> 'f' then kind_of_field(value)
        when abs((value #>> '{}')::float8) >= 1e38 or abs((value #>> '{}')::float8) < 1e-37
            then case when (value #>> '{}')::float8 = 0 then 'r' else 'f' end::"char"
        when ((value #>> '{}')::float4)::text::numeric = (value #>> '{}')::numeric then 'r'::"char"
        else 'f'::"char" end
$$;

drop function pack_record(jsonb);
-- `single_fields`: those whose numbers the caller gives in single precision. `common_fields`: texts with few values.
create function pack_record(record jsonb, single_fields text[], common_fields text[], out layout smallint, out numbers float8[],
    out singles real[], out texts text[])
language plpgsql as $$
declare
    fields text[];
begin
    select coalesce(array_agg(k.kind::text || ':' || e.key || case k.kind when 'c' then '=' || (e.value #>> '{}') else '' end
            order by e.key), '{}'),
        coalesce(array_agg((e.value #>> '{}')::float8 order by e.key) filter (where k.kind in ('f', 'i')), '{}'),
        coalesce(array_agg((e.value #>> '{}')::real order by e.key) filter (where k.kind = 'r'), '{}'),
        coalesce(array_agg(case k.kind when 's' then e.value #>> '{}' else e.value::text end order by e.key)
            filter (where k.kind in ('s', 'j')), '{}')
    into fields, numbers, singles, texts
    from jsonb_each(record) e, lateral (
        select case
            when e.key = any (single_fields) then kind_of_single(e.value)
            when e.key = any (common_fields) and jsonb_typeof(e.value) = 'string' then 'c'
            else kind_of_field(e.value) end as kind) k;
    layout := layout_of(fields);
end $$;

drop function unpack_record(smallint, float8[], text[]);
create function unpack_record(of_layout smallint, numbers float8[], singles real[], texts text[]) returns jsonb
language sql stable as $$
    select coalesce((
            select jsonb_object_agg(n.name, case
                when n.value is null then 'null'::jsonb
                when n.kind = 'i' then to_jsonb(n.value::bigint)
                when n.value = trunc(n.value) then (n.value::bigint::text || '.0')::jsonb
                else to_jsonb(n.value) end)
            from unnest(l.number_names, l.number_kinds, numbers) as n (name, kind, value)), '{}') || coalesce((
            select jsonb_object_agg(n.name, case
                when n.value is null then 'null'::jsonb
                when n.value = trunc(n.value) then (n.value::text::numeric::text || '.0')::jsonb
                else to_jsonb(n.value) end)
            from unnest(l.single_names, singles) as n (name, value)), '{}') || coalesce((
            select jsonb_object_agg(t.name, case t.kind when 's' then to_jsonb(t.value) else t.value::jsonb end)
            from unnest(l.text_names, l.text_kinds, texts) as t (name, kind, value)), '{}') || l.common
    from record_layouts l where l.layout = of_layout
$$;

-- Months that left come back although their tables have other columns by now --------------------------------------------

-- The columns of a table that are written, in their order.
create function columns_of(of_table text) returns text[] language sql stable as $$
    select array_agg(attname::text order by attnum) from pg_attribute
    where attrelid = of_table::regclass and attnum > 0 and not attisdropped and attgenerated = ''
$$;

-- Takes the columns away that are not among some.
create function leave_columns(of_table text, kept text[]) returns void language plpgsql as $$
declare
    gone text;
begin
    foreach gone in array columns_of(of_table) loop
        if not gone = any (kept) then
            execute format('alter table %I drop column %I', of_table, gone);
        end if;
    end loop;
end $$;

-- Gives a table the columns of another that it lacks, with their defaults.
create function add_columns_of(of_table text, other text) returns void language plpgsql as $$
declare
    lacking record;
begin
    for lacking in
        select a.attname, format_type(a.atttypid, a.atttypmod) as type, pg_get_expr(d.adbin, d.adrelid) as preset,
            a.attnotnull
        from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where a.attrelid = other::regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
            and not a.attname = any (columns_of(of_table))
        order by a.attnum
    loop
        execute format('alter table %I add column %I %s', of_table, lacking.attname, lacking.type)
            || coalesce(' default ' || lacking.preset, '') || case when lacking.attnotnull then ' not null' else '' end;
    end loop;
end $$;

-- Candidates of a quadrant, compactly -----------------------------------------------------------------------------------

-- That a number stands once in a difference follows from its candid, which holds it: no index need say so again.
alter table candidates drop constraint candidates_unit_key_campaign_number_shutter_open_key;
create index on candidates (unit_key, campaign);
