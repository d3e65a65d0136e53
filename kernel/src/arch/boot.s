// Entry of the first core (arm64 Image header) and of the others (PSCI CPU_ON).
// First core: x0 = physical address of the device tree (Linux arm64 booting protocol).
// Other cores: x0 = context_id = address of the core's CoreLocal.

.section .head, "ax"
.global _start
_start:
    b       primary
    .word   0
    .quad   0x200000                // text_offset: RAM base + 2 MiB
    .quad   __image_size
    .quad   0xa                     // little endian, 4 KiB granule, anywhere
    .quad   0, 0, 0
    .ascii  "ARM\x64"
    .word   0

.section .text.boot, "ax"
primary:
    msr     daifset, #0xf
    mrs     x1, CurrentEL
    cmp     x1, #(2 << 2)
    b.ne    park                    // not at EL2: nothing can be done, not even said
    adr     x1, __bss_start
    adr     x2, __bss_end
1:  cmp     x1, x2
    b.hs    2f
    stp     xzr, xzr, [x1], #16
    b       1b
2:  adr     x1, __boot_stack_top
    mov     sp, x1
    adr     x1, vectors
    msr     vbar_el2, x1
    mov     x19, x0
    bl      {early_tables}          // x0 = device tree → MMU values in BOOT_MMU
    bl      enable_mmu
    mov     x0, x19
    b       {primary_main}

.global secondary_entry
secondary_entry:
    msr     daifset, #0xf
    mov     x19, x0
    bl      enable_mmu
    msr     tpidr_el2, x19
    ldr     x1, [x19, #{stack_top}]
    mov     sp, x1
    adr     x1, vectors
    msr     vbar_el2, x1
    mov     x0, x19
    b       {secondary_main}

// Clobbers x0-x4. Values come from BOOT_MMU: MAIR, TCR, TTBR0, SCTLR.
enable_mmu:
    adr     x0, {boot_mmu}
    ldp     x1, x2, [x0]
    ldp     x3, x4, [x0, #16]
    msr     mair_el2, x1
    msr     tcr_el2, x2
    msr     ttbr0_el2, x3
    tlbi    alle2
    ic      iallu
    dsb     nsh
    isb
    msr     sctlr_el2, x4
    isb
    ret

park:
    wfe
    b       park
