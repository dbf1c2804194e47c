//! Order: what people arrange by hand, a step at a time.

use crate::error::Result;
use crate::id::Id;
use crate::store::{Cursor, OrgDocument, Reads, Scan};

/// How much of a row is read at once.
const PART: usize = 16;

/// Which way something moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Towards the beginning.
    Up,
    /// Towards the end.
    Down,
}

/// Swaps a thing with its neighbour. `row` is in the order shown, which is that of position and then id; answers the things whose position
/// must change for that, with the new one. At the end of the row, and for what is not in it, nothing must.
///
/// The two take each other's position. Only where that leaves two things the wrong way round, since positions may be equal, is the later one
/// pushed behind the other. Numbering the row anew would be simpler, but would change, and announce, what nobody has touched.
fn shift<K>(mut row: Vec<(Id<K>, i64)>, id: Id<K>, direction: Direction) -> Vec<(Id<K>, i64)> {
    let Some(from) = row.iter().position(|(known, _)| *known == id) else { return Vec::new() };
    let to = match direction {
        Direction::Up => from.checked_sub(1),
        Direction::Down => Some(from + 1).filter(|to| *to < row.len()),
    };
    let Some(to) = to else { return Vec::new() };
    let places: Vec<i64> = row.iter().map(|(_, position)| *position).collect();
    row.swap(from, to);

    let mut moved = Vec::new();
    let mut last: Option<(i64, Id<K>)> = None;
    for ((id, position), place) in row.into_iter().zip(places) {
        let place = match last {
            Some(last) if (place, id) <= last => last.0 + 1,
            _ => place,
        };
        last = Some((place, id));
        if place != position {
            moved.push((id, place));
        }
    }
    moved
}

/// What a step of this thing changes, as [`shift`] of the whole row says it. No more of the row is read than the step can reach: two places
/// before, and behind it as far as things are pushed.
///
/// # Errors
/// What the store says.
pub(super) fn step<D: OrgDocument>(
    view: &impl Reads,
    row: impl Fn() -> Scan<D>,
    place: impl Fn(&D) -> (Id<D>, i64),
    (id, position): (Id<D>, i64),
    direction: Direction,
) -> Result<Vec<(Id<D>, i64)>> {
    let here = Cursor::at(position, id);
    let mut window: Vec<_> = view.scan(row().newest().after(Some(here.clone())).limit(2))?.items.iter().map(&place).rev().collect();
    window.push((id, position));
    let mut after = Some(here);
    loop {
        let part = view.scan(row().after(after).limit(PART))?;
        window.extend(part.items.iter().map(&place));
        after = part.next;
        let moved = shift(window.clone(), id, direction);
        let reaches_its_end = window.last().is_some_and(|(last, _)| moved.iter().any(|(moved, _)| moved == last));
        if after.is_none() || !reaches_its_end {
            return Ok(moved);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::group::{self, Group, NewGroup};
    use crate::domain::testing::TestOrg;

    type Row = Vec<(Id<Group>, i64)>;

    fn id(number: u64) -> Id<Group> {
        Id::from_u128(number.into())
    }

    fn as_shown(mut row: Row) -> Row {
        row.sort_by_key(|(id, position)| (*position, *id));
        row
    }

    /// Positions may be equal or sparse, and need not follow the ids.
    fn any_row() -> impl Strategy<Value = Row> {
        let things = prop::collection::btree_map(0..1_000_u64, -4..6_i64, 1..9);
        things.prop_map(|things| as_shown(things.into_iter().map(|(number, position)| (id(number), position)).collect()))
    }

    fn any_direction() -> impl Strategy<Value = Direction> {
        prop::sample::select(vec![Direction::Up, Direction::Down])
    }

    fn shifted(row: &Row, id: Id<Group>, direction: Direction) -> Row {
        let moved = shift(row.clone(), id, direction);
        let position = |thing: Id<Group>, old: i64| moved.iter().find(|(id, _)| *id == thing).map_or(old, |(_, new)| *new);
        as_shown(row.iter().map(|(id, old)| (*id, position(*id, *old))).collect())
    }

    fn ids(row: &Row) -> Vec<Id<Group>> {
        row.iter().map(|(id, _)| *id).collect()
    }

    proptest! {
        #[test]
        fn a_step_swaps_neighbours_and_a_step_back_undoes_it(row in any_row(), pick in 0..1_000_usize, direction in any_direction()) {
            let at = pick % row.len();
            let thing = row[at].0;
            let (to, back) = match direction {
                Direction::Up => (at.checked_sub(1), Direction::Down),
                Direction::Down => (Some(at + 1).filter(|to| *to < row.len()), Direction::Up),
            };
            let after = shifted(&row, thing, direction);
            let mut wanted = ids(&row);
            if let Some(to) = to {
                wanted.swap(at, to);
                prop_assert_eq!(ids(&shifted(&after, thing, back)), ids(&row));
            } else {
                prop_assert_eq!(&after, &row);
            }
            prop_assert_eq!(ids(&after), wanted);
        }

        #[test]
        fn where_positions_differ_two_of_them_change(row in any_row(), pick in 0..1_000_usize, direction in any_direction()) {
            let sparse: Row = row.iter().enumerate().map(|(at, (id, _))| (*id, 10 * at as i64)).collect();
            let moved = shift(sparse, row[pick % row.len()].0, direction);
            prop_assert!(moved.is_empty() || moved.len() == 2);
        }
    }

    #[test]
    fn only_what_must_gets_another_position() {
        let row = |positions: [i64; 3]| (1..).map(id).zip(positions).collect::<Row>();
        assert_eq!(shift(row([0, 5, 9]), id(2), Direction::Up), [(id(2), 0), (id(1), 5)]);
        assert_eq!(shift(row([0, 0, 1]), id(1), Direction::Down), [(id(1), 1)], "the third is behind it as it is");
        assert_eq!(shift(row([0, 0, 0]), id(1), Direction::Down), [(id(1), 1), (id(3), 2)]);
        for (end, direction) in [(1, Direction::Up), (3, Direction::Down), (4, Direction::Down)] {
            assert!(shift(row([0, 5, 9]), id(end), direction).is_empty(), "{end} {direction:?}");
        }
    }

    #[test]
    fn a_step_reads_a_part_of_the_row_and_does_what_the_whole_row_says() {
        let org = TestOrg::new();
        for number in 0..3 * PART {
            // Many share a place, so that one step pushes far.
            let position = Some([0, 0, 7][number / PART]);
            let input = NewGroup { name: format!("Group {number}"), position };
            org.change(move |tx| group::create(tx, input)).unwrap();
        }
        let row: Row = org.read(|view| group::list(view, |scan| scan)).items.into_iter().map(|group| (group.id, group.position)).collect();
        for (thing, position) in row.clone() {
            for direction in [Direction::Up, Direction::Down] {
                let place = |group: &Group| (group.id, group.position);
                let moved = org.read(move |view| step(view, || Group::BY_POSITION.of(()), place, (thing, position), direction));
                assert_eq!(moved, shift(row.clone(), thing, direction), "{thing} {direction:?}");
            }
        }
    }
}
