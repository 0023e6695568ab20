# Print, with commas between, the lines of the configuration fragment $1 that the configuration $2 does not hold.
# olddefconfig drops without a word what does not exist, or depends on something that is off.
set -eu
while IFS= read -r line; do
    case $line in
        "# CONFIG_"*" is not set")
            # What is off may not be mentioned at all.
            name=${line#"# "}
            ! grep --quiet "^${name%% *}=" "$2" || printf '%s\n' "$line"
            ;;
        "" | "#"*) ;;
        *) grep --quiet --line-regexp --fixed-strings --regexp="$line" "$2" || printf '%s\n' "$line" ;;
    esac
done <"$1" | paste --serial --delimiters=, | sed 's/,/, /g'
