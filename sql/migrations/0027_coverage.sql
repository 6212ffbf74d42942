-- Maps of coverage, and the history of candidates: made by the end of a night itself, and by no node.

insert into kinds (kind, says, lasting) values
    ('coverage', 'Maps of how often and how deep the sky was seen, in a night and in all; made by the end of the night.',
        true),
    ('candidate_history', 'The candidates of a night as a table for readers; made by the end of the night.', false)
on conflict (kind) do nothing;

-- A survey of ten years has ten thousand of them among millions of products.
create index products_coverage_map on products (site, unit_key) where kind = 'coverage_map';
