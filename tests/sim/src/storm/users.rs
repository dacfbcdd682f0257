//! Users, operators and the weather: everybody who acts on a world of their own accord.

use std::collections::BTreeMap;
use std::time::Duration;

use npws_core::ConnectionId;

use super::mix::{Deed, GroupDeed, Mix, limits, ms};
use crate::world::{GroupId, Happening, PoolId, Read, Rng, StreamId, TakeId, Want, World};

/// The reminder for the next deed; those above name what somebody was told.
const NEXT_DEED: u64 = 0;

/// From here on a reminder names a pool that is to be unplugged.
const UNPLUG: u64 = 1 << 32;

/// How many streams a pool's users have at most.
const MANY: usize = 12;

pub(super) struct Users {
    rng: Rng,
    mix: Mix,
    pools: Vec<PoolId>,
    group: Option<GroupId>,
    takes: Vec<TakeId>,
    /// The streams, and how much is to be written to each.
    streams: BTreeMap<StreamId, usize>,
    told: Vec<(PoolId, ConnectionId)>,
    left: usize,
    counter: u8,
    pub(super) taken: u64,
}

impl Users {
    pub(super) fn new(rng: Rng, mix: Mix, pools: Vec<PoolId>, group: Option<GroupId>) -> Self {
        let left = mix.length;
        Self {
            rng,
            mix,
            pools,
            group,
            takes: Vec::new(),
            streams: BTreeMap::new(),
            told: Vec::new(),
            left,
            counter: 0,
            taken: 0,
        }
    }

    /// Lives until there is nothing more to do.
    pub(super) fn live(&mut self, world: &mut World) {
        world.remind(Duration::ZERO, NEXT_DEED);
        while self.left > 0 {
            let Some(happening) = world.next(Duration::MAX) else { return };
            self.hear(world, happening);
        }
    }

    /// Ends everything that was begun.
    pub(super) fn go(&mut self, world: &mut World) {
        for take in core::mem::take(&mut self.takes) {
            world.cancel(take);
        }
        for stream in core::mem::take(&mut self.streams).into_keys() {
            if self.rng.chance(500) {
                world.close(stream);
            } else {
                world.drop_stream(stream);
            }
        }
    }

    fn hear(&mut self, world: &mut World, happening: Happening) {
        match happening {
            Happening::Taken { take, stream, id } => {
                self.taken += 1;
                self.takes.retain(|other| *other != take);
                self.got(world, stream, id);
            }
            Happening::Failed { take, .. } => self.takes.retain(|other| *other != take),
            Happening::Readable(stream) => {
                if self.rng.chance(self.mix.eager) {
                    self.read(world, stream);
                }
            }
            Happening::Reminder(NEXT_DEED) => {
                self.left -= 1;
                self.act(world);
                let pause = self.rng.time(&(Duration::ZERO..=self.mix.pace));
                world.remind(pause, NEXT_DEED);
            }
            Happening::Reminder(number @ UNPLUG..) => {
                let pool = usize::try_from(number - UNPLUG).ok().and_then(|index| self.pools.get(index));
                pool.into_iter().for_each(|&pool| world.unplug(pool));
            }
            Happening::Reminder(number) => {
                let told = usize::try_from(number - 1).ok().and_then(|index| self.told.get(index));
                if let Some(&(pool, id)) = told {
                    let timeout = self.timeout();
                    let group = world.group_of(pool).filter(|_| self.rng.chance(700));
                    self.takes.push(match group {
                        Some(group) => world.take_from_group(group, Want::Id(id), timeout),
                        None => world.take(pool, id, timeout),
                    });
                }
            }
            Happening::Restarted(pool) => self.streams.retain(|stream, _| world.pool_of(*stream) != pool),
        }
    }

    fn got(&mut self, world: &mut World, stream: StreamId, id: ConnectionId) {
        let volume = self.rng.below(self.mix.message * 2 + 1);
        self.streams.insert(stream, volume);
        if self.rng.chance(600) {
            self.write(world, stream);
        }
        if self.rng.chance(self.mix.telling) {
            let (peer, _) = world.counterpart(stream);
            self.told.push((peer, id));
            let after = self.rng.time(&self.mix.network.latency);
            world.remind(after, self.told.len() as u64);
        }
    }

    fn act(&mut self, world: &mut World) {
        let total: u32 = self.mix.deeds.iter().map(|(_, weight)| weight).sum();
        let mut drawn = u32::try_from(self.rng.below(total as usize)).unwrap_or(0);
        let chosen = self.mix.deeds.iter().find(|(_, weight)| {
            let is_it = drawn < *weight;
            drawn = drawn.saturating_sub(*weight);
            is_it
        });
        let Some(&(deed, _)) = chosen else { return };
        let pool = self.rng.pick(&self.pools);
        match deed {
            Deed::TakeNext | Deed::Accept | Deed::TakeKnown | Deed::TakeUnknown => self.take(world, deed, pool),
            Deed::Cancel => {
                if !self.takes.is_empty() {
                    let index = self.rng.below(self.takes.len());
                    world.cancel(self.takes.swap_remove(index));
                }
            }
            Deed::Write | Deed::Read | Deed::Finish | Deed::Close | Deed::Drop => self.use_stream(world, deed),
            Deed::Flush => world.flush(pool),
            Deed::Drain => world.drain(pool, self.timeout().min(Duration::from_secs(60))),
            Deed::ClosePool => world.close_pool(pool),
            Deed::Restart => world.restart(pool, self.rng.chance(400)),
            Deed::Strike => {
                if !self.mix.faults.is_empty() {
                    world.strike(self.rng.pick(&self.mix.faults));
                }
            }
            Deed::Leap => world.leap(pool, ms(self.rng.within(1..=60_000))),
            Deed::Stall => world.stall(pool, self.sleep()),
            Deed::Suspend => {
                let (asleep, index) = (self.sleep(), self.rng.below(self.pools.len()));
                world.stall(self.pools[index], asleep);
                world.remind(self.rng.time(&(Duration::ZERO..=asleep)), UNPLUG + index as u64);
            }
            Deed::HoldDials => world.hold_dials(pool),
            Deed::ResumeDials => world.resume_dials(pool),
            Deed::Resize => {
                let least = self.rng.within(1..=4);
                world.resize(pool, least..=least + self.rng.below(5));
            }
            Deed::Limit => world.set_limits(pool, limits(&mut self.rng)),
            Deed::Weather => world.network.latency = self.weather(),
            Deed::Group(deed) => {
                if let Some(group) = self.group {
                    self.act_on_group(world, group, deed);
                }
            }
        }
    }

    fn act_on_group(&mut self, world: &mut World, group: GroupId, deed: GroupDeed) {
        let timeout = self.timeout();
        let want = match deed {
            GroupDeed::TakeNext => Want::Next,
            GroupDeed::Accept => Want::Claimed,
            GroupDeed::TakeKnown => {
                let other = self.rng.pick(&self.pools);
                let ids = world.ids(other);
                if ids.is_empty() {
                    return;
                }
                Want::Id(self.rng.pick(&ids))
            }
            GroupDeed::Renumber => {
                let servers = self.mix.servers.len();
                let named = self.pools[..servers].iter().copied().filter(|_| self.rng.chance(600)).collect();
                return world.renumber(group, named);
            }
            GroupDeed::Refresh => return world.refresh(group),
            GroupDeed::Drain => return world.drain_group(group, timeout.min(Duration::from_secs(60))),
            GroupDeed::Close => return world.close_group(group),
            GroupDeed::Restart => return world.restart_group(group, self.rng.chance(400)),
            GroupDeed::Leap => return world.leap_group(group, ms(self.rng.within(1..=60_000))),
            GroupDeed::Stall => return world.stall_group(group, self.sleep()),
        };
        self.takes.push(world.take_from_group(group, want, timeout));
    }

    fn weather(&mut self) -> core::ops::RangeInclusive<Duration> {
        let slow = ms(self.rng.within(1..=800));
        slow / 10..=slow
    }

    fn take(&mut self, world: &mut World, deed: Deed, pool: PoolId) {
        let timeout = self.timeout();
        let take = match deed {
            Deed::TakeNext => world.take_next(pool, timeout),
            Deed::Accept => world.accept(pool, timeout),
            Deed::TakeKnown => {
                let other = self.rng.pick(&self.pools);
                let ids = world.ids(other);
                if ids.is_empty() {
                    return;
                }
                world.take(pool, self.rng.pick(&ids), timeout)
            }
            _ => {
                let number = u32::try_from(self.rng.below(40)).unwrap_or(0);
                world.take(pool, ConnectionId::from_bytes(number.to_be_bytes()), timeout)
            }
        };
        self.takes.push(take);
    }

    fn use_stream(&mut self, world: &mut World, deed: Deed) {
        let streams: Vec<_> = self.streams.keys().copied().collect();
        if streams.is_empty() {
            return;
        }
        let stream = self.rng.pick(&streams);
        match deed {
            Deed::Write if streams.len() <= MANY => self.write(world, stream),
            Deed::Read => self.read(world, stream),
            Deed::Finish => world.finish(stream),
            Deed::Drop => {
                self.streams.remove(&stream);
                world.drop_stream(stream);
            }
            _ => {
                self.streams.remove(&stream);
                world.close(stream);
            }
        }
    }

    fn write(&mut self, world: &mut World, stream: StreamId) {
        let length = self.rng.below(self.mix.message + 1);
        let data: Vec<u8> = (0..length)
            .map(|_| {
                self.counter = self.counter.wrapping_add(1);
                self.counter
            })
            .collect();
        // Who cannot write any more learns why when it reads.
        let _ = world.write(stream, &data);
    }

    fn read(&mut self, world: &mut World, stream: StreamId) {
        let limit = 1 + self.rng.below(self.mix.message * 3);
        loop {
            match world.read(stream, limit) {
                Read::Data(_) if self.rng.chance(700) => {}
                Read::Data(_) | Read::Pending => return,
                Read::End | Read::Failed(_) => {
                    if self.rng.chance(500) && self.streams.remove(&stream).is_some() {
                        world.close(stream);
                    }
                    return;
                }
            }
        }
    }

    /// How long a program gets no processor: a busy machine, or one that was suspended.
    fn sleep(&mut self) -> Duration {
        let longest = self.rng.pick(&[5000, 30_000]);
        ms(self.rng.within(1..=longest))
    }

    fn timeout(&mut self) -> Duration {
        match self.rng.below(6) {
            0 => Duration::ZERO,
            1 => Duration::MAX,
            _ => ms(self.rng.within(1..=4000)),
        }
    }
}
