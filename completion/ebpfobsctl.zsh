#compdef ebpfobsctl
# SPDX-License-Identifier: LGPL-2.1-or-later
# zsh completion of ebpfobsctl; tests/lint/check-ctl compares the words with --help.

local -a verbs all watch filters
verbs=(
	'status:how the daemon is doing'
	'doctor:what this kernel allows; why a process is not seen'
	'flows:who talks to whom, and how much'
	'profile:where programs spend their time'
	'config:the configuration in force; read it again'
)
all=(
	'(-o --output)'{-o,--output}'[format]:format:(table json csv)'
	'--no-color[no colours]'
	'--socket[the socket of the daemon]:path:_files'
	'(-h --help)'{-h,--help}'[help]'
	'--version[the version]'
)
watch=('--watch[again every SECONDS]::seconds:')
filters=(
	'--since[from this time on]:time:'
	'--until[up to this time]:time:'
	'*--unit[of this systemd unit]:unit:'
	'*--container[of this container]:name or id:'
	'*--pod[of this pod]:pod:'
	'*--namespace[of this Kubernetes namespace]:namespace:'
	'*--process[of processes of this name]:name:'
	'*--pid[of this process]:process:_pids'
	'*--cgroup[of this cgroup and those below it]:path:_files -/'
	'*--port[with this port at either end]:port:_ports'
	'*--peer[with this peer]:address or prefix:'
	'*--protocol[of this protocol]:protocol:(tcp udp sctp icmp icmpv6)'
	'*--role[seen on]:role:(wire veth tunnel bridge loopback)'
	'--external[with a peer outside the private ranges]'
	'--limit[no more than N rows]:rows:'
)

local curcontext=$curcontext state line
_arguments -C $all $watch $filters '1:verb:->verb' '*::argument:->argument' && return
case $state in
verb) _describe verb verbs ;;
argument)
	case $words[1] in
	status) _arguments $all $watch ;;
	doctor) _arguments $all $watch '--maps[the BPF maps]' '1:process:_pids' ;;
	flows) _arguments $all $watch $filters ;;
	profile) _arguments $all $watch $filters '--total[by the cost with all that is called]' '--lines[tell the lines of a function apart]' '1:view:(top tree flame folded)' ;;
	config) _arguments $all '1:action:(show reload)' ;;
	esac
	;;
esac
