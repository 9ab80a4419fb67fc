complete -c tally -l version -d "Print the version"
