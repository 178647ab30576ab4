# SPDX-License-Identifier: LGPL-2.1-or-later
# bash completion of ebpfobsctl; tests/lint/check-ctl compares the words with --help.

_ebpfobsctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev= verb= words= options= word i
	local verbs="status doctor flows profile config"
	local all="--output --no-color --socket --help --version"
	local watch="--watch"
	local filters="--since --until --unit --container --pod --namespace --process --pid --cgroup
		--port --peer --protocol --role --external --limit"

	[ "$COMP_CWORD" -lt 1 ] || prev=${COMP_WORDS[COMP_CWORD - 1]}
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case " $verbs " in *" $word "*) verb=$word; break ;; esac
	done
	COMPREPLY=()
	case $prev in
	-o | --output) mapfile -t COMPREPLY < <(compgen -W "table json csv" -- "$cur"); return ;;
	--role) mapfile -t COMPREPLY < <(compgen -W "wire veth tunnel bridge loopback" -- "$cur"); return ;;
	--protocol) mapfile -t COMPREPLY < <(compgen -W "tcp udp sctp icmp icmpv6" -- "$cur"); return ;;
	--socket | --cgroup) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
	--unit) mapfile -t COMPREPLY < <(compgen -W "$(systemctl list-units --plain --no-legend --quiet 2>/dev/null |
		cut -d' ' -f1)" -- "$cur"); return ;;
	--since | --until | --container | --pod | --namespace | --process | --pid | --port | --peer | --limit) return ;;
	esac
	case $verb in
	"") words=$verbs options="$all $watch $filters" ;;
	status) options="$all $watch" ;;
	doctor) options="--maps $all $watch" ;;
	flows) options="$all $watch $filters" ;;
	profile) words="top tree flame folded" options="--total --lines $all $watch $filters" ;;
	config) words="show reload" options=$all ;;
	esac
	[[ $cur != -* && $words ]] || words=$options
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _ebpfobsctl ebpfobsctl
