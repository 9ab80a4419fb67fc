complete -o default -W "--version" tally
