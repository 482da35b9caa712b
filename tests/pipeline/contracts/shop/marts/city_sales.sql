SELECT c.city, count(*) AS orders, sum(f.amount) AS amount
FROM fct_orders f JOIN dim_customers c ON c.dim_customers_key = f.dim_customers_key
WHERE c.city IS NOT NULL
GROUP BY c.city
