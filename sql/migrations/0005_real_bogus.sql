-- Since when a real-bogus model judges a camera's candidates.

create table real_bogus_models (
    instrument text not null,
    version text not null, -- as packets say it in `rbversion`
    in_use_since timestamptz not null default now(), -- the end of the first night with it
    primary key (instrument, version)
);
