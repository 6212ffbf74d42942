-- A night records what it was opened with: the code's version, and the survey's settings.

-- null: the night was opened before this was recorded.
alter table nights
    add column code_version text, -- of what opened the night: a commit
    add column settings jsonb, -- what works for the night uses these, whatever the files hold by then
    add column settings_hashes jsonb; -- stage -> hash of the settings that it uses
alter table nights add constraint nights_pinned_together
    check ((settings is null) = (code_version is null) and (settings is null) = (settings_hashes is null));
