#!/usr/bin/env bash
# Real one-host Grid Engine (sge_qmaster + sge_execd) in a private cell on ports of its own.  gridenginetest.sh start|stop [--purge]|status|env
# apt-get install -y --no-install-recommends gridengine-master gridengine-exec gridengine-client
set -euo pipefail
ROOT=${GRIDENGINETEST_ROOT:-/tmp/gridenginetest}     # all state; also SGE_ROOT
BASE=${GRIDENGINETEST_PORT:-16700}                   # qmaster=BASE, execd=BASE+1
SLOTS=${GRIDENGINETEST_SLOTS:-4}                     # of each queue, all.q and gpu.q
ME=$(id -un) HOST=$(hostname) LIB=/usr/lib/gridengine SHARE=/usr/share/gridengine
export SGE_ROOT=$ROOT SGE_CELL=default SGE_QMASTER_PORT=$BASE SGE_EXECD_PORT=$((BASE+1)) PATH=$PATH:/usr/sbin:/sbin
COMMON=$ROOT/$SGE_CELL/common SPOOL=$ROOT/spool

alive() { [[ -s $1 ]] && kill -0 "$(<"$1")" 2>/dev/null; }
wait_for() { local t=$((SECONDS+$1)); shift; until timeout 5 "$@" >/dev/null 2>&1; do ((SECONDS<t)) || break; sleep 0.05; done; timeout 5 "$@" >/dev/null 2>&1 && return 0; echo "timeout: $*" >&2; return 1; }
keep_up() { alive "$SPOOL/$1.pid" || { SGE_ND=1 setsid "$1" >"$SPOOL/$1.out" 2>&1 </dev/null & echo $! >"$SPOOL/$1.pid"; }; }
up() { [[ $(qstat -f | grep -cE '@.* lx-[a-z0-9]+ *$') == 2 ]]; }

write_cell() {
  local arch what; arch=$($SHARE/util/arch)
  mkdir -p "$COMMON" "$SPOOL"/{qmaster/job_scripts,execd} "$ROOT"/{bin,utilbin,conf,tmp}
  ln -sfn $LIB "$ROOT/bin/$arch"; ln -sfn $LIB "$ROOT/utilbin/$arch"; ln -sfn $SHARE/util "$ROOT/util"
  echo "$HOST" >"$COMMON/act_qmaster"
  # one name for this host, whatever its address leads back to
  echo "$HOST" localhost $(getent hosts "$HOST" 127.0.0.1 | tr -s ' \t' '\n' | grep '[a-z]' | grep -vxF -e "$HOST" -e localhost) >"$COMMON/host_aliases"
  cat >"$COMMON/bootstrap" <<CONF
admin_user              none
default_domain          none
ignore_fqdn             true
spooling_method         classic
spooling_lib            libspoolc
spooling_params         $COMMON;$SPOOL/qmaster
binary_path             /usr/sbin
qmaster_spool_dir       $SPOOL/qmaster
security_mode           none
listener_threads        2
worker_threads          2
scheduler_threads       1
CONF
  # root may submit here; a person's profile is none of the jobs' business
  sed -E -e "s|^(execd_spool_dir ).*|\1$SPOOL/execd|" -e 's|^(min_[ug]id ).*|\10|' \
    -e 's|^(load_report_time ).*|\100:00:05|' -e 's|^(login_shells ).*|\1none|' $SHARE/default-configuration >"$ROOT/conf/global"
  $LIB/spoolinit classic libspoolc "$COMMON;$SPOOL/qmaster" init
  for what in "configuration $ROOT/conf/global" "complexes $SHARE/util/resources/centry" "usersets $SHARE/util/resources/usersets" "managers $ME"; do
    $LIB/spooldefaults $what
  done
}
configure() {
  local queue
  qconf -as "$HOST"
  qconf -se template | sed -E -e "s|^(hostname ).*|\1$HOST|" -e '/^(load_values|processors) /d' >"$ROOT/conf/host"
  qconf -Ae "$ROOT/conf/host"
  qconf -Ap $SHARE/util/resources/pe/smp
  # quick scheduling
  qconf -ssconf | sed -E -e 's|^(schedule_interval ).*|\10:0:1|' -e 's|^(flush_[a-z]*_sec ).*|\11|' -e 's|^(job_load_adjustments ).*|\1NONE|' >"$ROOT/conf/scheduler"
  qconf -Msconf "$ROOT/conf/scheduler"
  for queue in all.q gpu.q; do
    qconf -sq | sed -E -e "s|^(qname ).*|\1$queue|" -e "s|^(hostlist ).*|\1$HOST|" -e "s|^(slots ).*|\1$SLOTS|" \
      -e 's|^(load_thresholds ).*|\1NONE|' -e 's|^(pe_list ).*|\1smp|' -e "s|^(tmpdir ).*|\1$ROOT/tmp|" -e 's|^(h_rt ).*|\11:0:0|' >"$ROOT/conf/$queue"
    qconf -Aq "$ROOT/conf/$queue"
  done
}
start() {
  [[ -d $COMMON ]] || write_cell
  keep_up sge_qmaster
  wait_for 10 qconf -sh
  [[ $(qconf -sql 2>/dev/null) == *gpu.q* ]] || configure
  keep_up sge_execd
  wait_for 20 bash -c "$(declare -f up); up"
}
stop() {
  local f p
  if alive "$SPOOL/sge_qmaster.pid"; then qdel -u "$ME" >/dev/null 2>&1 || true; wait_for 10 bash -c '[[ -z $(qstat) ]]' || true; fi
  for f in "$SPOOL"/sge_{execd,qmaster}.pid; do   # asked to leave they take up to half a minute
    if alive "$f"; then p=$(<"$f"); kill -9 "$p"; wait_for 5 bash -c "! kill -0 $p 2>/dev/null || grep -q 'State:.Z' /proc/$p/status"; fi
    rm -f "$f"
  done
  if [[ ${1:-} == --purge ]]; then rm -rf "$ROOT"; fi
}
case ${1:-} in
  start) start; qstat -f ;;
  stop) stop "${2:-}" ;;
  status) for f in "$SPOOL"/sge_{qmaster,execd}.pid; do alive "$f" && echo "${f##*/} up" || echo "${f##*/} DOWN"; done; qstat -f ;;
  env) for name in SGE_ROOT SGE_CELL SGE_QMASTER_PORT SGE_EXECD_PORT; do echo "export $name=${!name}"; done ;;
  *) sed -n 2,3p "$0"; exit 2 ;;
esac
