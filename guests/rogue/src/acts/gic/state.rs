//! Enable, pending and active state, of private and of shared interrupts.

use super::peers::{TIMEOUT_MS, arrived, arrived_anywhere, drain, forget};
use crate::acts::checks::{check, equal};
use rt::contexts::{self, mpidr, wait_until};
use rt::gic::offset::{
    DISTRIBUTOR_TYPER, ICACTIVER, ICENABLER, ICFGR, ICPENDR, IGROUPR, IPRIORITYR, IROUTER, ISACTIVER, ISENABLER,
    ISPENDR,
};
use rt::gic::{distributor, read, sgi_frame, write};
use rt::interrupts::{PRIORITY, acknowledge, end};
use rt::timer::{self, Timer};

/// An SGI and the timer: an edge and a level.
pub fn private() {
    const SGI: u32 = 5;
    let frame = sgi_frame(contexts::current());
    let is_set = |register: u64, interrupt: u32| read::<u32>(frame + register) & (1 << interrupt) != 0;
    let set = |register: u64, interrupt: u32| write(frame + register, 1u32 << interrupt);

    set(ICENABLER, SGI);
    set(ISPENDR, SGI);
    check("a disabled SGI is pending", is_set(ISPENDR, SGI) && is_set(ICPENDR, SGI));
    check("a disabled SGI does not arrive", acknowledge().is_none());
    set(ICPENDR, SGI);
    set(ISENABLER, SGI);
    check("its pending state was cleared", !is_set(ISPENDR, SGI) && acknowledge().is_none());

    set(ISACTIVER, SGI);
    check("ISACTIVER sets active", is_set(ISACTIVER, SGI) && is_set(ICACTIVER, SGI));
    set(ISPENDR, SGI);
    check("an active SGI does not arrive", acknowledge().is_none());
    set(ICACTIVER, SGI);
    rt::arch::barrier();
    check("ICACTIVER clears active", !is_set(ISACTIVER, SGI));
    equal("then it arrives", acknowledge(), Some(SGI));
    check("acknowledged, it is active and no more pending", is_set(ISACTIVER, SGI) && !is_set(ISPENDR, SGI));
    set(ISPENDR, SGI);
    check("pended again, it waits for its end", acknowledge().is_none());
    end(SGI);
    equal("and arrives a second time", acknowledge(), Some(SGI));
    end(SGI);
    check("ended, it is inactive", !is_set(ISACTIVER, SGI));

    let ppi = Timer::Virtual.interrupt();
    Timer::Virtual.arm(timer::now());
    check("the timer's level is pending", wait_until(TIMEOUT_MS, || is_set(ISPENDR, ppi)));
    equal("it arrives", acknowledge(), Some(ppi));
    set(ICENABLER, ppi);
    check("disabled while active, it stays active", is_set(ISACTIVER, ppi));
    Timer::Virtual.disarm();
    end(ppi);
    check("its end makes it inactive", !is_set(ISACTIVER, ppi));
    Timer::Virtual.arm(timer::now());
    wait_until(TIMEOUT_MS, || Timer::Virtual.is_due());
    check("disabled, it does not arrive", acknowledge().is_none());
    set(ISENABLER, ppi);
    rt::arch::barrier();
    equal("enabled again, it does", acknowledge(), Some(ppi));
    end(ppi);
    equal("a level that is still there comes again", acknowledge(), Some(ppi));
    Timer::Virtual.disarm();
    end(ppi);
    check("a level that fell does not", acknowledge().is_none());
}

/// The last shared interrupt that the distributor has, with software as its source, sent to each
/// context in turn.
pub fn shared(peers: usize) {
    let lines: u32 = read(distributor() + DISTRIBUTOR_TYPER);
    let spi = (lines & 0x1f) * 32 + 31;
    let (word, bit) = (u64::from(spi / 32) * 4, 1u32 << (spi % 32));
    let register = |offset: u64| distributor() + offset + word;
    let configuration = distributor() + ICFGR + u64::from(spi / 16) * 4;
    let route = distributor() + IROUTER + u64::from(spi) * 8;
    let priority = distributor() + IPRIORITYR + u64::from(spi);

    let edge = 2u32 << (spi % 16 * 2);
    write(configuration, read::<u32>(configuration) | edge);
    check("ICFGR is kept", read::<u32>(configuration) & edge != 0);
    write(priority, 0xffu8);
    let implemented: u8 = read(priority);
    check("priorities have 16 levels or more", implemented >= 0xf0);
    write(priority, PRIORITY);
    equal("IPRIORITYR is kept", read::<u8>(priority), PRIORITY);
    write(register(IGROUPR), read::<u32>(register(IGROUPR)) | bit);
    write(register(ISENABLER), bit);
    check("ISENABLER is kept", read::<u32>(register(ISENABLER)) & bit != 0);
    write(register(ISENABLER), 0u32);
    check("writing 0 changes nothing", read::<u32>(register(ICENABLER)) & bit != 0);

    routes(route);
    for context in 0..=peers {
        forget();
        write(route, mpidr(context).unwrap_or_default());
        write(register(ISPENDR), bit);
        wait_until(TIMEOUT_MS, || {
            drain();
            arrived(context, spi) != 0
        });
        let counts = (arrived(context, spi), arrived_anywhere(spi));
        equal(format_args!("SPI to context {context} alone"), counts, (1, 1));
    }

    write(route, mpidr(0).unwrap_or_default());
    write(register(ICENABLER), bit);
    write(register(ISPENDR), bit);
    check("a disabled SPI is pending", read::<u32>(register(ISPENDR)) & bit != 0);
    check("a disabled SPI does not arrive", acknowledge().is_none());
    write(route, mpidr(peers).unwrap_or_default());
    write(register(ISENABLER), bit);
    let moved = wait_until(TIMEOUT_MS, || {
        drain();
        arrived(peers, spi) == 2
    });
    check("a pending SPI follows its route", moved);
    write(register(ISACTIVER), bit);
    check("ISACTIVER sets an SPI active", read::<u32>(register(ISACTIVER)) & bit != 0);
    write(register(ICACTIVER), bit);
    check("ICACTIVER clears it", read::<u32>(register(ISACTIVER)) & bit == 0);
    write(register(ICENABLER), bit);
}

/// IROUTER as one access or as two halves.
fn routes(route: u64) {
    const ALL_AFFINITIES: u64 = 0xff_00ff_ffff;
    write(route, 0x0000_0012_0034_5678_u64);
    equal("IROUTER of 64 bits", read::<u64>(route) & ALL_AFFINITIES, 0x12_0034_5678);
    equal("its lower half", read::<u32>(route), 0x0034_5678);
    equal("its upper half", read::<u32>(route + 4), 0x12);
    write(route, 0x0001_0203_u32);
    write(route + 4, 0x04_u32);
    equal("IROUTER by halves", read::<u64>(route) & ALL_AFFINITIES, 0x04_0001_0203);
}
