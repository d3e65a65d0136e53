// EL2 exception vectors (Arm ARM D1.10).
//
// While a guest runs, SP_EL2 points at its context's Registers, so that an exit stores straight
// into them. At EL2, SP is the core's stack. Layout of Registers: x0..x30, ELR, SPSR.

.macro save_guest
    each_pair stp, x, sp, 8, 0, 28
    mrs     x2, elr_el2
    mrs     x3, spsr_el2
    stp     x30, x2, [sp, #16 * 15]
    str     x3, [sp, #16 * 16]
    mov     x0, sp
    mrs     x1, tpidr_el2
    ldr     x2, [x1, #{stack_top}]
    mov     sp, x2
.endm

.section .text.vectors, "ax"
.balign 2048
.global vectors
vectors:
// An exception taken at EL2 itself is a bug of Corral: say so and end.
.irp kind, 0, 1, 2, 3, 4, 5, 6, 7
    .balign 128
    mov     x0, #\kind
    b       own_fault_entry
.endr
// Lower EL in AArch64; AArch32 guests do not exist (HCR_EL2.RW).
.irp handler, exit_sync, exit_irq, exit_irq, exit_serror, exit_serror, exit_serror, exit_serror, exit_serror
    .balign 128
    b       \handler
.endr

exit_sync:
    save_guest
    bl      {guest_sync}
    b       enter_guest
exit_irq:
    save_guest
    bl      {guest_irq}
    b       enter_guest
exit_serror:
    save_guest
    bl      {guest_serror}

// x0 = Registers of the context to run.
.global enter_guest
enter_guest:
    mov     sp, x0
    ldp     x30, x2, [sp, #16 * 15]
    ldr     x3, [sp, #16 * 16]
    msr     elr_el2, x2
    msr     spsr_el2, x3
    each_pair ldp, x, sp, 8, 2, 28
    ldp     x0, x1, [sp, #16 * 0]
    eret

// Stack may be what broke: take the boot stack, whose owner left it long ago.
own_fault_entry:
    adrp    x1, __boot_stack_top
    add     sp, x1, :lo12:__boot_stack_top
    b       {own_fault}
