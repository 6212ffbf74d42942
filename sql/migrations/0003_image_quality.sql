-- Every number that an image is measured for and may be judged by is kept, also of one that was rejected.

alter table image_quality add column same_value_fraction double precision; -- of the raw pixels, that hold the commonest value
alter table image_quality add column thousands_fraction double precision; -- of the raw pixels, that are exactly 1000
alter table image_quality add column read_noise_ratio double precision; -- measured in the overscan, to the camera's own
alter table image_quality add column pattern_noise double precision; -- amplitude of the strongest wave, in units of the noise
alter table image_quality add column trails integer; -- of satellites and aircraft
alter table image_quality add column psf_stars integer; -- that the PSF was built of
alter table image_quality add column zero_point_stars integer; -- that the zero point was fitted to
alter table image_quality add column zero_point_uncertainty double precision;
alter table image_quality add column zero_point_zenith double precision; -- of one second above the atmosphere
alter table image_quality add column colour_term double precision; -- magnitude a magnitude of colour
