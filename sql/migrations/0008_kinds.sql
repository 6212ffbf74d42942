-- The kinds of work are a table: a new one needs no migration.

-- Kinds of work. Filled from the registry (nightshift/kinds) at every migration; one that is no longer installed stays.
create table kinds (
    kind text primary key,
    says text not null
);
insert into kinds (kind, says) select kind::text, '' from jobs group by kind;
alter table jobs alter column kind type text using kind::text;
alter table jobs add foreign key (kind) references kinds;
drop type job_kind;
