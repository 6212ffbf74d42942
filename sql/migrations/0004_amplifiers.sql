-- What the frames of a master say of the amplifier.

alter table calibrations add column read_noise double precision; -- ADU, measured on pairs of biases
alter table calibrations add column gain double precision; -- electrons per ADU, measured on pairs of flats
alter table calibrations add column gain_error double precision; -- of the measured gain
