#!/bin/sh
# Starts one of SLURM's daemons in the foreground; its name is the only argument.
set -eu
install -d -o slurm -g slurm /var/lib/slurm/state /var/lib/slurm/spool
case "$1" in
munged)
    # the key is made once and shared with nobody: the other containers share the socket, not the key
    [ -s /etc/munge/munge.key ] || dd if=/dev/urandom of=/etc/munge/munge.key bs=1024 count=1 status=none
    chown munge: /etc/munge/munge.key /etc/munge /run/munge
    chmod 0400 /etc/munge/munge.key
    chmod 0755 /run/munge
    exec setpriv --reuid=munge --regid=munge --clear-groups munged --foreground
    ;;
slurmdbd)
    umask 077
    cat >/etc/slurm/slurmdbd.conf <<EOF
AuthType=auth/munge
DbdHost=slurmdbd
SlurmUser=slurm
StorageType=accounting_storage/mysql
StorageHost=slurm-database
StorageUser=slurm
StoragePass=${SLURM_DATABASE_PASSWORD:?}
StorageLoc=slurm_acct_db
EOF
    chown slurm: /etc/slurm/slurmdbd.conf
    exec setpriv --reuid=slurm --regid=slurm --clear-groups slurmdbd -D
    ;;
slurmctld)
    # the accounting must know the cluster before its controller starts
    until sacctmgr -n -i show cluster >/dev/null 2>&1; do sleep 1; done
    sacctmgr -i add cluster nightshift || true
    exec setpriv --reuid=slurm --regid=slurm --clear-groups slurmctld -D
    ;;
slurmd)
    exec slurmd -D
    ;;
*)
    echo "no such daemon: $1" >&2
    exit 2
    ;;
esac
