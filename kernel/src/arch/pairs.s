// For registers n, n + 1, and so on by twos up to last: "operation rn, rn+1" at base + bytes * n.
.altmacro
.macro each_pair operation, kind, base, bytes, n, last
    one_pair \operation, \kind, \base, \bytes, \n, %(\n + 1)
    .if \n < \last
    each_pair \operation, \kind, \base, \bytes, %(\n + 2), \last
    .endif
.endm
.macro one_pair operation, kind, base, bytes, n, next
    \operation \kind\()\n, \kind\()\next, [\base, #\bytes * \n]
.endm
