-- How many of the sources that were put into a night's frames the search found again.

-- name: completeness_of_night
select count(*) as quadrants,
    coalesce(sum((d.quality ->> 'injected_snr5_6')::int), 0) as injected_snr5_6,
    coalesce(sum((d.quality ->> 'recovered_snr5_6')::int), 0) as recovered_snr5_6,
    coalesce(sum((d.quality ->> 'injected_snr6_8')::int), 0) as injected_snr6_8,
    coalesce(sum((d.quality ->> 'recovered_snr6_8')::int), 0) as recovered_snr6_8,
    coalesce(sum((d.quality ->> 'injected_snr8_up')::int), 0) as injected_snr8_up,
    coalesce(sum((d.quality ->> 'recovered_snr8_up')::int), 0) as recovered_snr8_up
from differences d join units u using (unit_key, night) join exposures e using (instrument, exposure_id, night)
where e.site = :site and night = :night and d.campaign = :campaign and d.quality ? 'injected_snr5_6';
