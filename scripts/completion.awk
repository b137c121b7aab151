# SPDX-License-Identifier: MIT
# Completion of commands, options and configuration keys for `shell` (-v: bash, zsh or fish) from the help texts: the files
# mpno (the main one), mpno-config (the keys) and mpno-COMMAND, which are read in this order.

# "a, b or c" and "a, b, c" as "a b c"
function words(list) {
    gsub(/ or /, ", ", list)
    gsub(/, /, " ", list)
    return list
}

function quote(text) {
    gsub(/'/, "'\\''", text)
    return "'" text "'"
}

FNR == 1 {
    command = FILENAME
    sub(/^mpno-?/, "", command)
    heading = ""
    next
}
/^[A-Z][A-Z ]*$/ {
    heading = $0
    if (heading == "OVERRIDES") overrides[command] = 1
    next
}
FILENAME == "mpno" && heading == "COMMANDS" && /^    [a-z]/ {
    commands[++n_commands] = $1
    summary[$1] = $0
    sub(/^ *[^ ]+ +/, "", summary[$1])
}
FILENAME == "mpno-config" && /^    [a-z_.0-9]+$/ { keys[++n_keys] = key = $1; next }
FILENAME == "mpno-config" && key && /^        / {
    line = $0
    sub(/^ */, "", line)
    about[key] = about[key] (about[key] ? " " : "") line
}
heading == "SYNOPSIS" && command && /^    mpno / { # how many arguments stand before the overrides
    line = $0
    sub(/ *\[OPTIONS\].*/, "", line)
    n = split(line, part, " ")
    for (i = 3; i <= n; i++) {
        if (part[i] ~ /^\[?[A-Z]+\]?$/ && part[i - 1] !~ /^\[?-/) arguments[command]++
    }
}
heading == "OPTIONS" && /^    -/ {
    line = substr($0, 5)
    match(line, /   *[^ ]/)
    n = split(substr(line, 1, RSTART - 1), part, " ")
    i = ++n_options[command]
    text[command, i] = substr(line, RSTART + RLENGTH - 1)
    for (k = 1; k <= n; k++) {
        if (part[k] ~ /^--/) option[command, i] = part[k]
        else if (part[k] ~ /^-/) letter[command, i] = substr(part[k], 1, 2)
        else value[command, i] = part[k]
    }
}
heading == "OPTIONS" && /^          / { # the text of the last option goes on
    line = $0
    sub(/^ */, "", line)
    i = n_options[command]
    text[command, i] = text[command, i] " " line
    if (match(text[command, i], /one of [a-z0-9-]+(, [a-z0-9-]+)+$/))
        choices[command, i] = words(substr(text[command, i], RSTART + 7))
}

function key_choices(name,    found) {
    found = about[name]
    if (found ~ /true or false/) return "true false"
    if (!match(found, /one of [^;]*/)) return ""
    return words(substr(found, RSTART + 7, RLENGTH - 7))
}

function bash(    c, i, list, line) {
    print "_mpno() {"
    print "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}"
    print "    local key= words= options= keys= arguments=0 given=0 i"
    print "    local commands=" quote(all)
    print "    COMPREPLY=()"
    print "    if ((COMP_CWORD == 1)); then"
    print "        COMPREPLY=($(compgen -W \"$commands --help --version\" -- \"$cur\"))"
    print "        return"
    print "    fi"
    print "    if [[ $cur == = ]]; then # bash cuts KEY=VALUE in three words"
    print "        key=$prev cur="
    print "    elif [[ $prev == = ]]; then"
    print "        key=${COMP_WORDS[COMP_CWORD-2]}"
    print "    fi"
    print "    if [[ $key ]]; then"
    print "        case ${key#--} in"
    for (i = 1; i <= n_keys; i++)
        if (key_choices(keys[i])) print "            " keys[i] ") words=" quote(key_choices(keys[i])) " ;;"
    print "        esac"
    print "        COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))"
    print "        return"
    print "    fi"
    print "    case $command in"
    for (c = 1; c <= n_commands; c++) {
        list = ""
        for (i = 1; i <= n_options[commands[c]]; i++) list = list (list ? " " : "") option[commands[c], i]
        print "        " commands[c] ") options=" quote(list) " arguments=" arguments[commands[c]] + 0 \
            " keys=" overrides[commands[c]] " ;;"
    }
    print "    esac"
    print "    case $command:$prev in"
    for (c = 1; c <= n_commands; c++) for (i = 1; i <= n_options[commands[c]]; i++) {
        if (!value[commands[c], i]) continue
        line = "        " commands[c] ":" option[commands[c], i]
        if (letter[commands[c], i]) line = line " | " commands[c] ":" letter[commands[c], i]
        print line ") COMPREPLY=($(compgen -W " quote(choices[commands[c], i]) " -- \"$cur\")); return ;;"
    }
    print "        help:*) COMPREPLY=($(compgen -W \"$commands keys\" -- \"$cur\")); return ;;"
    print "    esac"
    print "    if [[ $cur == -* ]]; then"
    print "        COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))"
    print "        return"
    print "    fi"
    print "    for ((i = 2; i < COMP_CWORD; i++)); do"
    print "        [[ ${COMP_WORDS[i]} == -* || ${COMP_WORDS[i]} == = || ${COMP_WORDS[i-1]} == = ||"
    print "           ${COMP_WORDS[i+1]} == = ]] || ((given++))"
    print "    done"
    print "    if [[ $keys ]] && ((given >= arguments)); then"
    print "        COMPREPLY=($(compgen -S = -W '"
    for (i = 1; i <= n_keys; i++) print "            " keys[i]
    print "        ' -- \"$cur\"))"
    print "        compopt -o nospace 2> /dev/null"
    print "    fi"
    print "}"
    print "complete -o bashdefault -o default -F _mpno mpno"
}

# A text inside of [..] or before : in a zsh specification.
function zsh_text(text) {
    gsub(/\\/, "\\\\", text)
    gsub(/\[/, "\\[", text)
    gsub(/\]/, "\\]", text)
    gsub(/:/, "\\:", text)
    return text
}

function zsh(    c, i, spec, name) {
    print "#compdef mpno\n"
    print "_mpno_argument() {"
    print "    local -a keys=("
    for (i = 1; i <= n_keys; i++) print "        " quote(keys[i] ":" zsh_text(about[keys[i]]))
    print "    )"
    print "    if [[ $PREFIX != *=* ]]; then"
    print "        _files"
    print "        (( $1 )) && _describe key keys -S ="
    print "        return"
    print "    fi"
    print "    case ${PREFIX%%=*} in"
    for (i = 1; i <= n_keys; i++) {
        if (key_choices(keys[i]))
            print "        " keys[i] ") compset -P '*='; compadd -- " key_choices(keys[i]) " ;;"
    }
    print "        *) compset -P '*='; _files ;;"
    print "    esac"
    print "}\n"
    print "_mpno() {"
    print "    local -a commands=("
    for (c = 1; c <= n_commands; c++) print "        " quote(commands[c] ":" zsh_text(summary[commands[c]]))
    print "    )"
    print "    if (( CURRENT == 2 )); then"
    print "        _describe command commands"
    print "        return"
    print "    fi"
    print "    shift words"
    print "    (( CURRENT-- ))"
    print "    case $words[1] in"
    for (c = 1; c <= n_commands; c++) {
        name = commands[c]
        if (name == "help") continue
        print "        " name ")\n            _arguments \\"
        for (i = 1; i <= n_options[name]; i++) {
            spec = "[" zsh_text(text[name, i]) "]"
            if (choices[name, i]) spec = spec ":value:(" choices[name, i] ")"
            else if (value[name, i] ~ /^F/) spec = spec ":" tolower(value[name, i]) ":_files"
            else if (value[name, i]) spec = spec ":" value[name, i] ": "
            if (letter[name, i]) print "                " quote(letter[name, i] spec) " \\"
            print "                " quote(option[name, i] spec) " \\"
        }
        print "                '*:argument:_mpno_argument " overrides[name] + 0 "'\n            ;;"
    }
    print "        help) _describe command commands ;;"
    print "    esac"
    print "}\n"
    print "if [[ $funcstack[1] = _mpno ]]; then"
    print "    _mpno \"$@\""
    print "else"
    print "    compdef _mpno mpno"
    print "fi"
}

function fish(    c, i, name, line, with_keys) {
    for (c = 1; c <= n_commands; c++) {
        name = commands[c]
        print "complete -c mpno -n __fish_use_subcommand -f -a " name " -d " fish_quote(summary[name])
        if (overrides[name]) with_keys = with_keys " " name
        for (i = 1; i <= n_options[name]; i++) {
            line = "complete -c mpno -n '__fish_seen_subcommand_from " name "' -l " substr(option[name, i], 3)
            if (letter[name, i]) line = line " -s " substr(letter[name, i], 2)
            if (choices[name, i]) line = line " -x -a " fish_quote(choices[name, i])
            else if (value[name, i]) line = line (value[name, i] ~ /^F/ ? " -r -F" : " -x")
            print line " -d " fish_quote(text[name, i])
        }
    }
    print "complete -c mpno -n '__fish_seen_subcommand_from help' -f -a " fish_quote(all " keys")
    for (i = 1; i <= n_keys; i++) {
        line = key_choices(keys[i])
        if (line) gsub(/[^ ]+/, keys[i] "=&", line)
        else line = keys[i] "="
        print "complete -c mpno -n '__fish_seen_subcommand_from" with_keys "' -a " fish_quote(line) " -d " \
            fish_quote(about[keys[i]])
    }
}

function fish_quote(text) {
    gsub(/\\/, "\\\\", text)
    gsub(/'/, "\\'", text)
    return "'" text "'"
}

END {
    for (i = 1; i <= n_commands; i++) all = all (i > 1 ? " " : "") commands[i]
    if (shell != "zsh") print "# Completion of mpno for " shell ", made from its help."
    if (shell == "bash") bash()
    else if (shell == "zsh") zsh()
    else fish()
}
