# SPDX-License-Identifier: Apache-2.0
# bash completion: distcronctl itself knows the words; this only asks and filters.
_distcronctl() {
  local value description word=${COMP_WORDS[COMP_CWORD]}
  COMPREPLY=()
  # Not through `compgen -W`: it would expand what a name holds.
  while IFS=$'\t' read -r value description; do
    if [[ -n $value && $value == "$word"* ]]; then COMPREPLY+=("$value"); fi
  done < <("${COMP_WORDS[0]}" __complete --shell=bash -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  if [ ${#COMPREPLY[@]} -eq 0 ]; then compopt -o default; fi
}
complete -F _distcronctl distcronctl
