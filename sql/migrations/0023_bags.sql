-- The archive of a night is kept as bags (BagIt, RFC 8493), a version each time that the night is closed anew.

create table archive_bags ( -- a night's archive, closed up for good each time that the night is closed
    site text not null,
    night date not null,
    version integer not null check (version >= 1), -- the last one holds all; those before it stay as they were
    name text not null, -- of its folder, in the night's folder of the archive
    begun_at timestamptz not null, -- by the night's clock
    complete boolean not null default false, -- its manifests list all of its files
    alerts_digest text, -- of the packets that its tar of alerts holds: numbers and checksums
    sealed_at timestamptz, -- nothing of it changes from then on
    primary key (site, night, version),
    foreign key (site, night) references nights,
    check (sealed_at is null or complete)
);
