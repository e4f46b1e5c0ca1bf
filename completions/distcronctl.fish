# SPDX-License-Identifier: Apache-2.0
# fish completion: distcronctl itself knows the words and prints value<TAB>description.
function __distcronctl_complete
    set -l words (commandline -opc)
    set -l program $words[1]
    set -e words[1]
    $program __complete --shell=fish -- $words (commandline -ct) 2>/dev/null
end
complete -c distcronctl -f -a '(__distcronctl_complete)'
complete -c distcronctl -n 'test -z (__distcronctl_complete | string join "")' -F
