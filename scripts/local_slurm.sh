#!/usr/bin/env bash
# A SLURM of one node on this machine, for tests: scripts/local_slurm.sh start|stop FOLDER (as root, with Debian's
# slurm-wlm and munge). It listens on loopback only. Afterwards: export SLURM_CONF=FOLDER/slurm.conf
set -euo pipefail
command=$1 folder=$(realpath -m "$2")

start() {
    local host cores
    host=$(hostname -s) cores=$(nproc)
    mkdir -p "$folder"/{state,spool} /run/munge
    chown munge: /run/munge
    cat > "$folder/slurm.conf" <<CONF
ClusterName=here
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ReturnToService=2
MpiDefault=none
KillWait=5
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cores RealMemory=$(free -m | awk '/^Mem:/ { print int($2 * .9) }')
PartitionName=here Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
    pgrep -x munged > /dev/null || runuser -u munge -- munged
    slurmctld -f "$folder/slurm.conf"
    slurmd -f "$folder/slurm.conf"
    for _ in $(seq 60); do
        SLURM_CONF=$folder/slurm.conf sinfo --noheader --states=idle --format=%D 2> /dev/null | grep -q 1 && return
        sleep .5
    done
    echo "the node does not come up: see $folder/slurmctld.log and $folder/slurmd.log" >&2
    exit 1
}

stop() {
    local daemon
    for daemon in slurmd slurmctld; do
        [ -s "$folder/$daemon.pid" ] && kill "$(cat "$folder/$daemon.pid")"
    done
    pkill -x munged || true
}

case $command in
    start | stop) "$command" ;;
    *) echo "expected start or stop, not '$command'" >&2 && exit 1 ;;
esac
