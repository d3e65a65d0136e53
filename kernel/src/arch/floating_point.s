// FP and SIMD state of a context: q0..q31, FPCR, FPSR at x0.
.arch armv8-a+fp+simd
.section .text.floating_point, "ax"
.macro each_pair operation
    \operation q0, q1, [x0, #32 * 0]
    \operation q2, q3, [x0, #32 * 1]
    \operation q4, q5, [x0, #32 * 2]
    \operation q6, q7, [x0, #32 * 3]
    \operation q8, q9, [x0, #32 * 4]
    \operation q10, q11, [x0, #32 * 5]
    \operation q12, q13, [x0, #32 * 6]
    \operation q14, q15, [x0, #32 * 7]
    \operation q16, q17, [x0, #32 * 8]
    \operation q18, q19, [x0, #32 * 9]
    \operation q20, q21, [x0, #32 * 10]
    \operation q22, q23, [x0, #32 * 11]
    \operation q24, q25, [x0, #32 * 12]
    \operation q26, q27, [x0, #32 * 13]
    \operation q28, q29, [x0, #32 * 14]
    \operation q30, q31, [x0, #32 * 15]
.endm

.global save_floating_point
save_floating_point:
    each_pair stp
    mrs     x1, fpcr
    mrs     x2, fpsr
    add     x0, x0, #512
    stp     x1, x2, [x0]
    ret

.global load_floating_point
load_floating_point:
    each_pair ldp
    add     x0, x0, #512
    ldp     x1, x2, [x0]
    msr     fpcr, x1
    msr     fpsr, x2
    ret
