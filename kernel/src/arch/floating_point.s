// FP and SIMD state of a context: q0..q31, FPCR, FPSR at x0.
.arch armv8-a+fp+simd
.section .text.floating_point, "ax"
.global save_floating_point
save_floating_point:
    each_pair stp, q, x0, 16, 0, 30
    mrs     x1, fpcr
    mrs     x2, fpsr
    add     x0, x0, #512
    stp     x1, x2, [x0]
    ret

.global load_floating_point
load_floating_point:
    each_pair ldp, q, x0, 16, 0, 30
    add     x0, x0, #512
    ldp     x1, x2, [x0]
    msr     fpcr, x1
    msr     fpsr, x2
    ret
