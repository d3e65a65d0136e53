/* Corral's calls for guests in C. The numbers are those of domains/src/protocol/hypercall.rs.
 * AArch64, EL1; function in x0, arguments from x1, answer in x0: 0 or a negative PSCI error code. */
#ifndef CORRAL_H
#define CORRAL_H

#include <stddef.h>
#include <stdint.h>

#define CORRAL_VERSION       UINT64_C(0xC6000000)
#define CORRAL_CONSOLE_WRITE UINT64_C(0xC6000001)
#define CORRAL_EXIT          UINT64_C(0xC6000002)
#define CORRAL_REPORT        UINT64_C(0xC6000003)
#define CORRAL_IRQ_ENABLE    UINT64_C(0xC6000004)
#define CORRAL_CORES         UINT64_C(0xC6000005)
#define CORRAL_CORE_REQUEST  UINT64_C(0xC6000006)
#define CORRAL_CORE_ANSWER   UINT64_C(0xC6000007)
#define CORRAL_CORE_ORDER    UINT64_C(0xC6000008)
#define CORRAL_GROUP         UINT64_C(0xC6000009)
#define CORRAL_HEARTBEAT     UINT64_C(0xC600000A)

/* The most bytes of one CORRAL_CONSOLE_WRITE. */
#define CORRAL_CONSOLE_WRITE_MAX 48

/* What corral_report can be about; 64 to 255 are the guest's own. */
enum corral_report_key {
    CORRAL_MISSED = 1,
    CORRAL_TICKS = 2,
    CORRAL_WORST_LATENESS_NS = 3,
    CORRAL_MEAN_LATENESS_NS = 4,
    CORRAL_PASSED = 5,
    CORRAL_FAILED = 6,
};

/* Pending for context 0 of a domain without a board when corral_core_request has something, or when its role in its
 * group has changed. */
#define CORRAL_CORE_REQUEST_SGI 15

/* What corral_core_request answers. */
enum corral_request { CORRAL_NONE = 0, CORRAL_OFFLINE = 1, CORRAL_ONLINE = 2 };

/* What corral_core_answer says. */
enum corral_answer { CORRAL_BUSY = 1, CORRAL_REFUSED = 2 };

/* Receivers of a core that are no domain, for corral_core_order. */
#define CORRAL_TO_POOL UINT64_C(0xffff)
#define CORRAL_TO_OFF  UINT64_C(0xfffe)

/* Makes a call; values: x1 to x3 of the answer. */
static inline int64_t corral_call_values(uint64_t function, const uint64_t arguments[7], uint64_t values[3])
{
    register uint64_t x0 __asm__("x0") = function;
    register uint64_t x1 __asm__("x1") = arguments[0];
    register uint64_t x2 __asm__("x2") = arguments[1];
    register uint64_t x3 __asm__("x3") = arguments[2];
    register uint64_t x4 __asm__("x4") = arguments[3];
    register uint64_t x5 __asm__("x5") = arguments[4];
    register uint64_t x6 __asm__("x6") = arguments[5];
    register uint64_t x7 __asm__("x7") = arguments[6];
    __asm__ volatile("hvc #0"
                     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)
                     : "r"(x4), "r"(x5), "r"(x6), "r"(x7)
                     : "memory");
    values[0] = x1;
    values[1] = x2;
    values[2] = x3;
    return (int64_t)x0;
}

static inline int64_t corral_call(uint64_t function, const uint64_t arguments[7])
{
    uint64_t values[3];
    return corral_call_values(function, arguments, values);
}

/* The interface's version: major in bits 31:16, minor in 15:0. */
static inline int64_t corral_version(void)
{
    const uint64_t arguments[7] = {0};
    return corral_call(CORRAL_VERSION, arguments);
}

/* Writes to the domain's console. */
static inline void corral_console_write(const char *bytes, size_t length)
{
    while (length != 0) {
        uint64_t arguments[7] = {0};
        size_t n = length < CORRAL_CONSOLE_WRITE_MAX ? length : CORRAL_CONSOLE_WRITE_MAX;
        arguments[0] = n;
        for (size_t i = 0; i < n; i++)
            arguments[1 + i / 8] |= (uint64_t)(unsigned char)bytes[i] << (i % 8 * 8);
        corral_call(CORRAL_CONSOLE_WRITE, arguments);
        bytes += n;
        length -= n;
    }
}

/* Tells the host a number. */
static inline int64_t corral_report(uint64_t key, uint64_t value)
{
    const uint64_t arguments[7] = {key, value};
    return corral_call(CORRAL_REPORT, arguments);
}

/* Enables a private interrupt of this context on board "none": number below 32, priority (lower is
 * more urgent). */
static inline int64_t corral_irq_enable(uint64_t interrupt, uint8_t priority)
{
    const uint64_t arguments[7] = {interrupt, priority};
    return corral_call(CORRAL_IRQ_ENABLE, arguments);
}

/* values: the cores that the domain owns, those it is granted, and its contexts that are on. */
static inline int64_t corral_cores(uint64_t values[3])
{
    const uint64_t arguments[7] = {0};
    return corral_call_values(CORRAL_CORES, arguments, values);
}

/* Takes the next request: the context that is to go off (CPU_OFF, or corral_core_answer) or can be switched on
 * (CPU_ON). */
static inline enum corral_request corral_core_request(uint64_t *context)
{
    const uint64_t arguments[7] = {0};
    uint64_t values[3];
    if (corral_call_values(CORRAL_CORE_REQUEST, arguments, values) != 0)
        return CORRAL_NONE;
    *context = values[1];
    return (enum corral_request)values[0];
}

/* Tells that an offline request is not obeyed. */
static inline int64_t corral_core_answer(uint64_t context, enum corral_answer answer)
{
    const uint64_t arguments[7] = {context, answer};
    return corral_call(CORRAL_CORE_ANSWER, arguments);
}

/* Orders a core to the domain with this index, or to CORRAL_TO_...; for a domain that manages cores. */
static inline int64_t corral_core_order(uint64_t core, uint64_t to, uint64_t deadline_ms)
{
    const uint64_t arguments[7] = {core, to, deadline_ms};
    return corral_call(CORRAL_CORE_ORDER, arguments);
}

/* What a domain is in its group. Promoted: primary since a takeover, and without a heartbeat since. */
enum corral_role { CORRAL_NO_ROLE = 0, CORRAL_PRIMARY = 1, CORRAL_STANDBY = 2, CORRAL_PROMOTED = 3 };

/* A domain's place in its group. */
struct corral_membership {
    enum corral_role role;
    uint32_t epoch;
    /* The region that the members share, 0 if there is none. The layout of the log in it: docs/failover.md. */
    uint64_t region, region_bytes;
    uint64_t deadline_ms;
};

static inline int64_t corral_membership_call(uint64_t function, struct corral_membership *membership)
{
    register uint64_t x0 __asm__("x0") = function;
    register uint64_t x1 __asm__("x1") = 0;
    register uint64_t x2 __asm__("x2") = 0;
    register uint64_t x3 __asm__("x3") = 0;
    register uint64_t x4 __asm__("x4") = 0;
    register uint64_t x5 __asm__("x5") = 0;
    __asm__ volatile("hvc #0"
                     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4), "+r"(x5)
                     :
                     : "x6", "x7", "memory");
    if (x0 == 0)
        *membership = (struct corral_membership){(enum corral_role)x1, (uint32_t)x2, x3, x4, x5};
    return (int64_t)x0;
}

/* The domain's place in its group; -1 if it is in none. */
static inline int64_t corral_group(struct corral_membership *membership)
{
    return corral_membership_call(CORRAL_GROUP, membership);
}

/* Tells that the domain lives, and answers its place. The first heartbeat of a standby says that it is ready to take
 * over, the first one after a promotion that it serves. */
static inline int64_t corral_heartbeat(struct corral_membership *membership)
{
    return corral_membership_call(CORRAL_HEARTBEAT, membership);
}

/* Ends the domain; 0 means that it did what it was there for. */
__attribute__((noreturn)) static inline void corral_exit(uint64_t code)
{
    const uint64_t arguments[7] = {code};
    for (;;)
        corral_call(CORRAL_EXIT, arguments);
}

#endif
