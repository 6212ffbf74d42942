#!/bin/sh
# What SLURM starts for every task of every array: the time limit in seconds, the number of the first task, then the
# command.
# Nothing of a frame's name or header is in this text: all that varies comes as an argument.
seconds=$1 first=$2
shift 2
exec timeout --kill-after=5 "$seconds" "$@" --unit "$((first + SLURM_ARRAY_TASK_ID))"
