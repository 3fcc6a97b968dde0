//! Which nodes of a graph lie on a cycle together. It must need no stack as deep
//! as the graph, which a stranger may have drawn.

const UNKNOWN: usize = usize::MAX;

/// The number of each node's strongly connected component, where `edges[node]`
/// are the nodes that an edge leads to. An edge never leads to a higher number
/// than its own.
///
/// This is Tarjan's algorithm: linear in nodes and edges.
pub(crate) fn components(edges: &[Vec<usize>]) -> Vec<usize> {
    let mut walk = Walk {
        order: vec![UNKNOWN; edges.len()],
        lowest: vec![UNKNOWN; edges.len()],
        component: vec![UNKNOWN; edges.len()],
        open: Vec::new(),
        entered: 0,
        closed: 0,
    };
    for root in 0..edges.len() {
        if walk.order[root] == UNKNOWN {
            walk.from(root, edges);
        }
    }
    walk.component
}

struct Walk {
    /// When each node was entered.
    order: Vec<usize>,
    /// The earliest open node that each is known to reach.
    lowest: Vec<usize>,
    component: Vec<usize>,
    /// Nodes entered whose component is not known yet.
    open: Vec<usize>,
    entered: usize,
    closed: usize,
}

impl Walk {
    fn from(&mut self, root: usize, edges: &[Vec<usize>]) {
        let mut path = vec![(self.enter(root), edges[root].iter())];
        while let Some((node, following)) = path.last_mut() {
            let node = *node;
            if let Some(&next) = following.next() {
                if self.order[next] == UNKNOWN {
                    path.push((self.enter(next), edges[next].iter()));
                } else if self.component[next] == UNKNOWN {
                    self.lowest[node] = self.lowest[node].min(self.order[next]);
                }
                continue;
            }
            path.pop();
            if self.lowest[node] == self.order[node] {
                self.close(node);
            }
            if let Some(&(above, _)) = path.last() {
                self.lowest[above] = self.lowest[above].min(self.lowest[node]);
            }
        }
    }

    fn enter(&mut self, node: usize) -> usize {
        self.order[node] = self.entered;
        self.lowest[node] = self.entered;
        self.entered += 1;
        self.open.push(node);
        node
    }

    fn close(&mut self, node: usize) {
        while let Some(member) = self.open.pop() {
            self.component[member] = self.closed;
            if member == node {
                break;
            }
        }
        self.closed += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::components;

    #[test]
    fn cycles_share_a_number_and_edges_lead_down() {
        // 0 → 1 ⇄ 2 → 3, 4 → 4, 5 alone.
        let edges = [vec![1], vec![2], vec![1, 3], vec![], vec![4], vec![]];
        let found = components(&edges);
        assert_eq!(found[1], found[2]);
        assert!(found[0] > found[1] && found[2] > found[3]);
        let mut distinct = found.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_long_cycle_needs_no_deep_stack() {
        let length = 1_000_000;
        let edges: Vec<Vec<usize>> = (0..length).map(|node| vec![(node + 1) % length]).collect();
        assert!(components(&edges).iter().all(|component| *component == 0));
    }
}
