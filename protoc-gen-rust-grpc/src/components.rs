//! Which nodes of a graph lie on a cycle together. It must need no stack as deep
//! as the graph, which a stranger may have drawn.

const UNKNOWN: usize = usize::MAX;

/// The number of each node's strongly connected component, where `edges[node]`
/// are the nodes that an edge leads to. An edge never leads to a higher number
/// than its own.
///
/// This is Tarjan's algorithm: linear in nodes and edges.
pub(crate) fn components(edges: &[Vec<usize>]) -> Vec<usize> {
    let mut walk = ComponentWalk {
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

struct ComponentWalk {
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

impl ComponentWalk {
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
mod tests;
