# SPDX-License-Identifier: MIT
# A help text as a manual page: `name` (mpno-train), `section`, `version` and `also` (see also) are given by -v.
# The text: a first line "mpno train - summary"; headings in capitals; below them lines indented by four or more.
# Outside of running text "    TERM  meaning" (two blanks or more between) or "    TERM" is an entry of a list, in running
# text only where TERM is one word; deeper lines go on with it.

function escape(text) {
    gsub(/\\/, "\\e", text)
    gsub(/-/, "\\-", text)
    if (text ~ /^[.']/) text = "\\&" text
    return text
}

function close_block() {
    if (literal) print ".fi" (running() ? "\n.PP" : "")
    literal = 0
}

function running() {
    return heading ~ /^(DESCRIPTION|FILES|OVERRIDES)$/
}

NR == 1 {
    at = index($0, " - ")
    printf ".TH %s %s \"\" \"%s\"\n.SH NAME\n%s \\- %s\n", toupper(name), section, version, escape(name), \
        escape(substr($0, at + 3))
    next
}
/^[A-Z][A-Z ]*$/ {
    close_block()
    heading = $0
    blank = listing = 0
    print ".SH " heading
    if (heading == "SYNOPSIS" || heading == "EXAMPLES") {
        print ".nf"
        literal = 1
    }
    next
}
/^ *$/ { blank = 1; next }
{
    if (heading == "SYNOPSIS" || heading == "EXAMPLES") {
        if (blank) print ""
        print escape(substr($0, 5))
    } else if (/^    [^ ]/ && (!running() || /^    [a-z_]+   *[^ ]/)) {
        close_block()
        listing = 1
        text = substr($0, 5)
        if (!match(text, /   *[^ ]/)) RSTART = length(text) + 1
        print ".TP\n" escape(substr(text, 1, RSTART - 1))
        if (RSTART <= length(text)) print escape(substr(text, RSTART + RLENGTH - 1))
    } else if (/^    [^ ]/ || !running() || listing) {
        if (blank || (listing && /^    [^ ]/)) print ".PP"
        close_block()
        if (/^    [^ ]/) listing = 0
        sub(/^ */, "")
        if (section == 5 && /^(number|whole number|one of|text|true or false|list of)/) print ".br"
        print escape($0)
    } else {
        if (!literal) print ".PP\n.nf"
        literal = 1
        print escape(substr($0, 5))
    }
    blank = 0
}
END {
    close_block()
    print ".SH SEE ALSO\n" escape(also)
}
