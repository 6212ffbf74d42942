-- A night records what it was opened with: the code's version, and the survey's settings.

-- null: the night was opened before this was recorded.
alter table nights add column code_version text; -- of what opened the night: a commit
alter table nights add column settings jsonb; -- survey, and by instrument the settings that hold for the night
alter table nights add column settings_hashes jsonb; -- by instrument and stage: hash of the settings that it uses
alter table nights add constraint nights_pinned_together
    check ((settings is null) = (code_version is null) and (settings is null) = (settings_hashes is null));
