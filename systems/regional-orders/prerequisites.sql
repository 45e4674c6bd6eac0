-- The schema belongs to the application.
CREATE SCHEMA IF NOT EXISTS sales;
