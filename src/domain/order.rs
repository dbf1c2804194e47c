//! Order: what people arrange by hand, a step at a time.

use crate::id::Id;

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
pub(super) fn shift<K>(mut row: Vec<(Id<K>, i64)>, id: Id<K>, direction: Direction) -> Vec<(Id<K>, i64)> {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::group::Group;

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
}
