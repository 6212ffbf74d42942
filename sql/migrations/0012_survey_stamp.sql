-- A ledger belongs to one survey, and says which.

-- One row at the most; written by the program that opens the ledger first, and never changed.
create table survey_stamp (
    one boolean primary key default true check (one),
    survey text not null check (survey <> ''),
    stamped_at timestamptz not null default now()
);
create trigger survey_stamp_stays before update or delete on survey_stamp
    for each row execute function refuse_change();
